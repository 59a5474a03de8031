"""The same as bench_dispatch with a server that takes 5 ms for each reply, as real ones do.

python -m benchmarks.bench_dispatch_slow [the options of bench_dispatch]
"""

from __future__ import annotations

import sys

from benchmarks import bench_dispatch

if __name__ == "__main__":
    # The reference takes 21 ms a mail: a few hundred are enough to know its rate.
    sys.argv[1:1] = ["--delay-ms", "5", "--reference", "300"]
    bench_dispatch.main()
