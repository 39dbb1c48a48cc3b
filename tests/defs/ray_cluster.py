"""A Ray cluster of two nodes on loopback, as a program: prints its address, and ends when its input does."""

import socket
import sys

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_log_monitor": False}

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    free_port = probe.getsockname()[1]
dashboard = {"include_dashboard": True, "dashboard_host": "127.0.0.1", "dashboard_port": free_port}
cluster = Cluster(initialize_head=True, head_node_args={**NODE, **dashboard})
try:
    cluster.add_node(**NODE)
    print(cluster.address, flush=True)
    sys.stdin.read()
finally:
    cluster.shutdown()
