"""A small Ray cluster of this machine, for all tests that need one."""

import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from imaginairy.fleet.ray_cluster import NO_STATISTICS, ray_package, unchanged


@contextmanager
def small_cluster(**settings: object) -> Iterator[str]:
    """Start a cluster, give its address, and leave nothing of it behind.

    This process is connected to it meanwhile.
    """
    ray = ray_package()
    with warnings.catch_warnings(), unchanged():
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
            for name in ("ray", "ray.data"):
                logging.getLogger(name).handlers.clear()
