//! The result of a check, for people and for programs.

use super::{Form, Row};
use crate::rare::Rare;
use crate::text::Text;

/// The columns: the answer, and what else is known.
const ANSWER_COLUMN: usize = 34;
const DETAIL_COLUMN: usize = 40;

pub fn print(rows: &[Row], form: Form) -> Text {
    match form {
        Form::Lines { colored } => lines(rows, colored),
        Form::Json => json(rows),
    }
}

fn lines(rows: &[Row], colored: bool) -> Text {
    let mut text = Text::new();
    let mut group = Rare::NONE;
    for row in rows {
        if row.group != group {
            group = row.group;
            text.say(group).push("\n");
        }
        let start = text.len();
        text.push("  ").say(row.name).pad(start, ANSWER_COLUMN);
        let (color, answer) = match row.works {
            Some(true) => ("\x1b[32m", "yes"),
            Some(false) => ("\x1b[31m", "no"),
            None => ("\x1b[33m", "?"),
        };
        let (color, plain) = if colored { (color, "\x1b[0m") } else { ("", "") };
        text.push(color).push(answer).push(plain);
        if !row.detail.is_empty() {
            text.pad(start, DETAIL_COLUMN + color.len() + plain.len()).push_name(row.detail);
        }
        text.push("\n");
        if row.works == Some(false) {
            text.push("    hint: ").push_name(row.hint).push("\n");
        }
    }
    text
}

fn json(rows: &[Row]) -> Text {
    let mut text = Text::new();
    text.push("{\"version\":").push_json(env!("CARGO_PKG_VERSION").as_bytes());
    text.push(",\"checks\":[");
    for (index, row) in rows.iter().enumerate() {
        text.push(if index > 0 { ",{" } else { "{" });
        text.push("\"group\":").push_json(row.group.bytes());
        text.push(",\"name\":").push_json(row.name.bytes());
        text.push(",\"works\":").push(match row.works {
            Some(true) => "true",
            Some(false) => "false",
            None => "null",
        });
        text.push(",\"detail\":").push_json(row.detail);
        let hint: &[u8] = if row.works == Some(false) { row.hint } else { b"" };
        text.push(",\"hint\":").push_json(hint).push("}");
    }
    text.push("]}\n");
    text
}
