//! What `--help` and `--version` print.

use super::options::{Entry, OPTIONS, ROOTFS_OPTIONS};
use crate::text::Text;

const HEAD: &str = "\
mini-container runs a program in a root directory of its own.

  mini-container [OPTIONS] PROGRAM [ARG...]
  mini-container rootfs [OPTIONS] PROGRAM...   make a root directory: rootfs --help
  mini-container check [--json]                what this host can do
  mini-container COMMAND [OPTIONS] ID          an OCI runtime: create --help

PROGRAM is looked up inside the root; without a slash, in the PATH that it will have.

";

const TAIL: &str = "
More about the options is in the README.

Without root privilege, a user namespace is made in which the caller is root
(with --user: in which the caller is that user).

exit status: the program's own; 128+N if signal N ended it; 125 if mini-container
failed; 126 if the program could not be executed; 127 if it, or the interpreter
that it needs, was not found.

  mini-container /bin/bash              a shell in ./rootfs
  mini-container -r / --read-only sh    one that cannot write to this system
  mini-container --all -t /bin/bash     one that is isolated in every way
";

const ROOTFS_HEAD: &str = "\
mini-container rootfs makes a root directory.

  mini-container rootfs [-o DIR] [--with PATH]... [--etc] PROGRAM...
  mini-container rootfs [-o DIR] --image FILE [--platform P] [--tag T]
  mini-container rootfs --prune

The first copies programs of this system, and what their files say that they need;
what a program loads by itself (plugins, modules, data) is added by --with. The
second unpacks an image. The third removes what was unpacked to run images.

";

/// The column in which the descriptions begin.
const COLUMN: usize = 32;

/// The whole help.
pub fn help() -> Text {
    let mut text = Text::new();
    text.push(HEAD);
    push_options(&mut text, OPTIONS);
    text.push(TAIL);
    text
}

/// The help of the command `rootfs`.
pub fn rootfs() -> Text {
    let mut text = Text::new();
    text.push(ROOTFS_HEAD);
    push_options(&mut text, ROOTFS_OPTIONS);
    text
}

fn push_options(text: &mut Text, table: &[Entry]) {
    for entry in table {
        let start = text.len();
        match entry.short {
            Some(letter) => text.push("  -").push_name(&[letter]).push(", "),
            None => text.push("      "),
        };
        text.push(entry.long());
        if let Some(value) = entry.value() {
            text.push(" ").push(value);
        }
        text.pad(start, COLUMN).push(entry.help()).push("\n");
    }
}

/// The name and the version.
pub fn version() -> Text {
    let mut text = Text::new();
    text.push("mini-container ").push(env!("CARGO_PKG_VERSION")).push("\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_option_and_fits_a_terminal() {
        for (text, table) in [(help(), OPTIONS), (rootfs(), ROOTFS_OPTIONS)] {
            let help = std::str::from_utf8(text.as_bytes()).unwrap();
            for entry in table {
                assert!(help.contains(entry.long()));
            }
            for line in help.lines() {
                assert!(line.len() <= 120, "{line}");
            }
        }
    }
}
