"""The local history: rollups of every series in one SQLite file, for the page and for a gateway that has no InfluxDB.

1. **Exactly once.** The place in the log is stored in the same transaction as the rows; entries at or before that place
   are ignored, and the log's own cursor never passes it. Killed at any moment, the file holds what a run that was never
   killed would hold.
2. **One connection.** One thread owns the file, in exclusive mode.
3. **Derived.** It can be deleted, and a damaged one is put aside: the log and InfluxDB do not depend on it.

**Levels.** Windows of 10 s, 1 min, 15 min and 1 h. Only the finest is written as data arrives. A coarser window is
computed from the finer rows once it is over, and again when late data has changed them: the table `stale` holds what is
to be computed. That writes a fifth of what keeping every level up to date would, and flash wears by what is written.

**Memory first.** What arrives is rolled up in memory and written once a minute of the data's clock, or when it is much:
most windows are complete then and are written once. Curves are answered from both.

**Layout.** A row of the file is one window of 256 neighbouring series, as columns, compressed (`blocks`): a byte
and a half a value where a series comes ten times in a window. Rows are clustered by (window, block): a commit
touches neighbouring pages, retention drops a range, and a curve takes one row for each window. The newest value of
every series is kept beside them, so that a start reads forty rows and not hours.
"""
