"""A crowd of readers on a real installation: open-loop load, kills and full disks; the parts of ``bench/faults.py``."""
