//! What the steps of a plan do, a file per subject. Each function is one act on the kernel, with
//! the error that names it; nothing here knows where in the launch it stands.
//!
//! Everything runs in the child between clone and exec, which may share the launcher's memory: no
//! allocation, no formatting, no panic that could be avoided.

pub mod caller;
pub mod capabilities;
pub mod devices;
pub mod execute;
pub mod filesystem;
pub mod identity;
pub mod inside;
pub mod landlock;
pub mod masks;
pub mod mounts;
pub mod namespaces;
pub mod netlink;
pub mod network;
pub mod overlay;
pub mod own_file;
pub mod owner;
pub mod pieces;
pub mod process;
pub mod program;
pub mod root;
pub mod settings;
pub mod terminal;
pub mod volume;
