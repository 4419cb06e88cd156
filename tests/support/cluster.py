"""A small Ray cluster of this machine, for all tests that need one."""

import gc
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from imaginairy.fleet.ray_cluster import NO_STATISTICS, ray_package, silenced, unchanged


@contextmanager
def small_cluster(**settings: object) -> Iterator[str]:
    """Start a cluster, give its address, and leave nothing of it behind.

    This process is connected to it meanwhile.
    """
    ray = ray_package()
    with warnings.catch_warnings(), unchanged(), silenced():
        warnings.simplefilter("ignore")
        os.environ |= NO_STATISTICS
        folder = tempfile.mkdtemp(prefix="ray-")  # sockets have short paths
        usual = {"num_cpus": 2, "include_dashboard": False}
        context = ray.init(
            address="local",
            object_store_memory=80 << 20,
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
            **(usual | settings),
        )
        try:
            yield context.address_info["gcs_address"]
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
            close_logs()
            gc.collect()  # what Ray left to be closed by that, while nobody minds


def close_logs() -> None:
    """Close the files that Ray has opened for its logs, and leaves open."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "ray":
            log = logging.getLogger(name)
            for handler in list(log.handlers):
                log.removeHandler(handler)
                for each in (getattr(handler, "_handler", None), handler):
                    if each is not None:
                        each.close()
