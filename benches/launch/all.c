/* The floor of `mini-container --rootfs DIR --all PROGRAM`, by root. The filter of system calls is
 * what the launcher has made: `filter.h` holds its instructions. What there is to hide, the host's
 * kernel decides; folders and files are hidden in different ways. */
#define NAMESPACES \
    (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWCGROUP)
#include "floor.h"
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <sys/socket.h>

/* Those of Docker's containers. */
#define KEPT_CAPABILITIES 0xa80425fbUL

static const struct sock_filter FILTER[] = {
#include "filter.h"
};

static const struct setting TERMINALS[] = {
    {"newinstance", 0}, {"ptmxmode", "0666"}, {"mode", "0620"}, {0},
};

static void write_file(const char *path, const char *text, long length) {
    long file = CALL(openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_LARGEFILE);
    CALL(write, file, text, length);
    CALL(close, file);
}

static void loopback_up(void) {
    static const struct {
        struct nlmsghdr header;
        struct ifinfomsg message;
    } request = {
        {sizeof request, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
        {.ifi_index = 1, .ifi_flags = 1, .ifi_change = 1},
    };
    char answer[4096];
    long link = CALL(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    CALL(sendto, link, &request, sizeof request, 0, 0);
    CALL(recvfrom, link, answer, sizeof answer, 0, 0);
    CALL(close, link);
}

static long open_device(const char *path) {
    char information[STAT_BYTES];
    long device = CALL(openat, AT_FDCWD, path, O_PATH | O_CLOEXEC | O_LARGEFILE);
    CALL(fstat, device, information);
    return device;
}

static void mount_device(long device, long place) {
    long tree = CALL(open_tree, device, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    CALL(move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    CALL(close, tree);
}

static void show(long dev, const char *path, const char *name, long number) {
    long device = open_device(path), place;
    (void)number;
    CALL(mknodat, dev, name, S_IFREG | 0666, 0);
    place = CALL(openat, dev, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | O_LARGEFILE);
    mount_device(device, place);
    CALL(close, place);
    CALL(close, device);
}

static void hide_folder(long mounted, const char *path) {
    static const struct setting empty[] = {{"mode", "555"}, {"size", "4k"}, {"nr_inodes", "1"}, {0}};
    char information[STAT_BYTES];
    long place = open_inside(mounted, path);
    if (place < 0) return;
    CALL(fstat, place, information);
    CALL(close, mount_on(place, "tmpfs", empty, NO_WRITES_DEVICES_OR_PROGRAMS));
    CALL(close, place);
}

static void hide_file(long mounted, const char *path) {
    char information[STAT_BYTES];
    long place = open_inside(mounted, path), null;
    if (place < 0) return;
    CALL(fstat, place, information);
    null = open_device("/dev/null");
    mount_device(null, place);
    CALL(close, null);
    CALL(close, place);
}

static void protect(long mounted, const char *path) {
    static const struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    long place = open_inside(mounted, path), tree;
    if (place < 0) return;
    tree = CALL(open_tree, place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    CALL(mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only, sizeof read_only);
    CALL(move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    CALL(close, tree);
    CALL(close, place);
}

static void drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    long capability;
    /* Up to the first that the kernel does not know. */
    for (capability = 0; capability < 64; capability++)
        if (!(KEPT_CAPABILITIES >> capability & 1) && CALL(prctl, PR_CAPBSET_DROP, capability) < 0)
            break;
    CALL(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
    CALL(capget, &header, data);
    data[0].effective = data[0].permitted = KEPT_CAPABILITIES;
    data[1].effective = data[1].permitted = 0;
    CALL(capset, &header, data);
    CALL(prctl, PR_SET_NO_NEW_PRIVS, 1);
}

static void child(void) {
    static const struct mount_attr no_devices = {.attr_set = MOUNT_ATTR_NODEV};
    static const struct sock_fprog filter = {sizeof FILTER / sizeof *FILTER, (struct sock_filter *)FILTER};
    long root, proc, sys;
    write_file("/proc/self/setgroups", "deny", 4);
    write_file("/proc/self/uid_map", "0 0 1\n", 6);
    write_file("/proc/self/gid_map", "0 0 1\n", 6);
    CALL(unshare, CLONE_NEWTIME);
    loopback_up();
    CALL(prctl, PR_SET_DUMPABLE, 0);
    root = open_root(&no_devices);
    proc = mount_in(root, "/proc", "proc", 0, NO_DEVICES_OR_PROGRAMS);
    sys = mount_in(root, "/sys", "sysfs", 0, NO_WRITES_DEVICES_OR_PROGRAMS);
    mount_dev(root, show, TERMINALS);
    CALL(close, mount_in(root, "/sys/fs/cgroup", "cgroup2", 0, NO_WRITES_DEVICES_OR_PROGRAMS));
    hide_folder(proc, "acpi");
    hide_folder(proc, "asound");
    hide_file(proc, "interrupts");
    hide_file(proc, "kcore");
    hide_file(proc, "keys");
    hide_file(proc, "latency_stats");
    hide_file(proc, "sched_debug");
    hide_folder(proc, "scsi");
    hide_file(proc, "timer_list");
    hide_file(proc, "timer_stats");
    hide_folder(sys, "dev/block");
    hide_folder(sys, "devices/system/cpu/cpu0/thermal_throttle");
    hide_folder(sys, "devices/virtual/powercap");
    hide_folder(sys, "firmware");
    hide_folder(sys, "fs/selinux");
    protect(proc, "bus");
    protect(proc, "fs");
    protect(proc, "irq");
    protect(proc, "sys");
    protect(proc, "sysrq-trigger");
    enter(root, 4);
    drop_capabilities();
    if (launcher_lives()) {
        CALL(seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
        become_program();
    }
}
