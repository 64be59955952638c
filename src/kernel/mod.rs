//! What the steps of a plan do, a file per subject. Each function is one act on the kernel, with
//! the error that names it; nothing here knows where in the launch it stands.
//!
//! Everything runs in the child between clone and exec, which may share the launcher's memory: no
//! allocation, no formatting, no panic that could be avoided.

pub mod attributes;
pub mod bind;
pub mod caller;
pub mod capabilities;
pub mod cgroup_mounts;
mod copy_up;
pub mod devices;
pub mod entry;
pub mod execute;
pub mod filesystem;
pub mod identity;
pub mod inside;
pub mod labels;
pub mod landlock;
pub mod masks;
pub mod mounts;
pub mod moved_link;
pub mod namespaces;
pub mod netlink;
pub mod network;
pub mod nodes;
pub mod overlay;
pub mod own_file;
pub mod owner;
pub mod pieces;
pub mod private_proc;
pub mod process;
pub mod program;
pub mod resctrl;
pub mod root;
pub mod settings;
pub mod sockets;
pub mod sysctl;
pub mod terminal;
pub mod volume;
