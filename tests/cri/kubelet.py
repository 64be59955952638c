"""Asks a node for pods and containers, as a kubelet does, in few words."""
import json
import time
from contextlib import contextmanager

import cri_pb2 as cri
import cri_pb2_grpc
import grpc

SOCKET = "unix:///run/containerd/containerd.sock"
HANDLER = "mini-container"
LOGS = "/run/logs"
IMAGE = "localhost/busybox:1"
PATIENCE = 60

RUNTIME_DEFAULT = cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault)
UNCONFINED = cri.SecurityProfile(profile_type=cri.SecurityProfile.Unconfined)


def localhost(path):
    return cri.SecurityProfile(profile_type=cri.SecurityProfile.Localhost, localhost_ref=path)


def until(true, seconds=10):
    """Waits until this is so, and says whether it came to be."""
    end = time.monotonic() + seconds
    while not (seen := true()) and time.monotonic() < end:
        time.sleep(0.05)
    return seen


class Container:
    def __init__(self, runtime, id, log):
        self.runtime, self.id, self.log_path = runtime, id, log

    def start(self):
        self.runtime.StartContainer(cri.ContainerRequest(container_id=self.id), timeout=PATIENCE)
        return self

    def exec(self, *command, timeout=0):
        request = cri.ExecSyncRequest(container_id=self.id, cmd=command, timeout=timeout)
        return self.runtime.ExecSync(request, timeout=PATIENCE)

    def sh(self, script):
        """What a shell script prints in it, on both streams."""
        ended = self.exec("/bin/sh", "-c", f"exec 2>&1; {script}")
        return ended.stdout.decode().strip()

    def status(self):
        return self.runtime.ContainerStatus(cri.ContainerStatusRequest(container_id=self.id)).status

    def info(self):
        request = cri.ContainerStatusRequest(container_id=self.id, verbose=True)
        return json.loads(self.runtime.ContainerStatus(request).info["info"])

    def stats(self):
        return self.runtime.ContainerStats(cri.ContainerRequest(container_id=self.id)).stats

    def update(self, **resources):
        limits = cri.LinuxContainerResources(**resources)
        self.runtime.UpdateContainerResources(
            cri.UpdateContainerResourcesRequest(container_id=self.id, linux=limits), timeout=PATIENCE)

    def ended(self):
        """Its status, once it has ended by itself."""
        until(lambda: self.status().state == cri.CONTAINER_EXITED)
        return self.status()

    def stop(self, seconds=0):
        request = cri.StopContainerRequest(container_id=self.id, timeout=seconds)
        self.runtime.StopContainer(request, timeout=PATIENCE)

    def remove(self):
        self.runtime.RemoveContainer(cri.ContainerRequest(container_id=self.id), timeout=PATIENCE)

    def log(self):
        """The lines of its log, without their times: `stdout F text`."""
        with open(self.log_path) as file:
            return [line.split(" ", 1)[1].rstrip("\n") for line in file]


class Pod:
    def __init__(self, runtime, id, config):
        self.runtime, self.id, self.config = runtime, id, config
        self.containers = 0

    def create(self, *command, security=None, resources=None, **more):
        """A container that waits for its end, if it has nothing else to do."""
        self.containers += 1
        name = f"container{self.containers}"
        context = {"namespace_options": self.config.linux.security_context.namespace_options,
                   "seccomp": RUNTIME_DEFAULT} | (security or {})
        config = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name=name),
            image=cri.ImageSpec(image=IMAGE),
            command=command or ["/bin/sleep", "1000000"],
            log_path=f"{name}.log",
            linux=cri.LinuxContainerConfig(
                resources=cri.LinuxContainerResources(**(resources or {})),
                security_context=cri.LinuxContainerSecurityContext(**context)),
            **more)
        request = cri.CreateContainerRequest(
            pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        created = self.runtime.CreateContainer(request, timeout=PATIENCE)
        return Container(self.runtime, created.container_id, f"{self.config.log_directory}/{name}.log")

    def run(self, *command, **more):
        return self.create(*command, **more).start()

    @contextmanager
    def container(self, *command, **more):
        """A container that runs meanwhile, and is removed after it."""
        one = self.create(*command, **more)
        try:
            yield one.start()
        finally:
            one.stop()
            one.remove()

    def status(self):
        return self.runtime.PodSandboxStatus(cri.PodSandboxStatusRequest(pod_sandbox_id=self.id)).status

    def info(self):
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=self.id, verbose=True)
        return json.loads(self.runtime.PodSandboxStatus(request).info["info"])

    def stop(self):
        self.runtime.StopPodSandbox(cri.PodSandboxRequest(pod_sandbox_id=self.id), timeout=PATIENCE)

    def remove(self):
        self.runtime.RemovePodSandbox(cri.PodSandboxRequest(pod_sandbox_id=self.id), timeout=PATIENCE)


class Node:
    def __init__(self, cgroup):
        channel = grpc.insecure_channel(SOCKET)
        self.runtime = cri_pb2_grpc.RuntimeServiceStub(channel)
        self.images = cri_pb2_grpc.ImageServiceStub(channel)
        self.cgroup = cgroup
        self.pods = 0

    def conditions(self):
        return {one.type: one.status for one in self.runtime.Status(cri.StatusRequest()).status.conditions}

    def image_names(self):
        listed = self.images.ListImages(cri.ListRequest()).images
        return [name for image in listed for name in image.repo_tags]

    def left(self):
        """The ids of all containers and pods that the node knows."""
        containers = self.runtime.ListContainers(cri.ListRequest()).containers
        pods = self.runtime.ListPodSandbox(cri.ListRequest()).items
        return [one.id for one in [*containers, *pods]]

    def run(self, network=cri.NODE, pid=cri.CONTAINER, privileged=False, sysctls=None, handler=HANDLER):
        """A pod; in the node's network, it needs no plugins."""
        self.pods += 1
        name = f"pod{self.pods}"
        config = cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=name, uid=name, namespace="checks"),
            hostname=name if network == cri.POD else "",
            log_directory=f"{LOGS}/{name}",
            dns_config=cri.DNSConfig(servers=["10.88.0.1"]),
            linux=cri.LinuxPodSandboxConfig(
                cgroup_parent=self.cgroup,
                sysctls=sysctls or {},
                security_context=cri.LinuxSandboxSecurityContext(
                    namespace_options=cri.NamespaceOption(network=network, pid=pid),
                    privileged=privileged,
                    seccomp=RUNTIME_DEFAULT)))
        request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
        run = self.runtime.RunPodSandbox(request, timeout=PATIENCE)
        return Pod(self.runtime, run.pod_sandbox_id, config)

    @contextmanager
    def pod(self, **more):
        """A pod that runs meanwhile, and is removed after it with all that is in it."""
        one = self.run(**more)
        try:
            yield one
        finally:
            one.stop()
            one.remove()
