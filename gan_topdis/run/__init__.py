"""Run directories and their records."""

from gan_topdis.run.directory import open_run_directory
from gan_topdis.run.files import write_atomically
from gan_topdis.run.record import RunRecord, read_record, recorded

__all__ = ["RunRecord", "open_run_directory", "read_record", "recorded", "write_atomically"]
