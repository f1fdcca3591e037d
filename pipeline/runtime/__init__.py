"""Process runtime: devices, threads, processes, progress."""
