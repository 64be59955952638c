//! Configurations, one value changed at a time.

mod changes;
mod examples;
mod fitness;

use super::{Config, parse};
use crate::kernel::caller::Caller;

/// What is read, or the message, without what all of them begin with.
fn read(text: &str) -> Result<&'static mut Config, String> {
    let caller = Caller { privileged: true, user: 0, group: 0, kernel: (6, 1) };
    parse(text.as_bytes().to_vec().leak(), c"/bundle", caller).map_err(message)
}

fn message(error: crate::error::Error<'_>) -> String {
    let text = String::from_utf8(error.render().as_bytes().to_vec()).unwrap();
    text.trim().trim_start_matches("mini-container: config.json: ").into()
}
