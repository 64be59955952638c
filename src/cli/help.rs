//! What `--help` and `--version` print.

use crate::rare::Rare;
use crate::text::Text;

/// The whole help.
pub fn help() -> Text {
    page(rare!(file "cli/help.txt"))
}

/// The help of the command `rootfs`.
pub fn rootfs() -> Text {
    page(rare!(file "cli/rootfs.txt"))
}

fn page(page: Rare) -> Text {
    let mut text = Text::new();
    text.say(page);
    text
}

/// The name and the version.
pub fn version() -> Text {
    let mut text = Text::new();
    text.push("mini-container ").push(env!("CARGO_PKG_VERSION")).push("\n");
    text
}

#[cfg(test)]
mod tests {
    use super::super::options::{Entry, OPTIONS, ROOTFS_OPTIONS};
    use super::*;

    #[test]
    fn the_help_has_a_line_for_each_option_in_the_order_of_the_table_and_fits_a_terminal() {
        for (text, table) in [(help(), &OPTIONS), (rootfs(), &ROOTFS_OPTIONS)] {
            let help = std::str::from_utf8(text.as_bytes()).unwrap();
            let letter = |entry: &Entry| {
                entry.short.map_or("    ".into(), |short| format!("-{}, ", short as char))
            };
            let lines =
                help.lines().filter(|line| line.starts_with("  ") && line.get(6..8) == Some("--"));
            let lines: Vec<&str> = lines.collect();
            assert_eq!(lines.len(), table.iter().count());
            for (line, (long, entry)) in lines.iter().zip(table.iter()) {
                let (written, meaning) = entry.help();
                let written = std::str::from_utf8(written).unwrap();
                let begin = format!("  {}{written} ", letter(entry));
                assert!(line.starts_with(&begin), "{line}");
                assert_eq!(line.as_bytes()[32.min(begin.len())..].trim_ascii_start(), meaning);
                let value = written.strip_prefix(std::str::from_utf8(long).unwrap()).unwrap();
                assert_eq!(value.len() > 1 && value.starts_with(' '), entry.takes_value, "{line}");
            }
            for line in help.lines() {
                assert!(line.len() <= 120, "{line}");
            }
        }
    }
}
