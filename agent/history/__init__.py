"""The local history: rollups of every series in one SQLite file, for the page and for a gateway that has no InfluxDB.

1. **Exactly once.** The place in the log is stored in the same transaction as the rows; entries at or before that place
   are ignored. Killed at any moment, the file holds what a run that was never killed would hold.
2. **One connection.** One thread owns the file, in exclusive mode: SQLite 3.7.0 to 3.51.2 can corrupt a WAL that has
   two connections (the "WAL-reset" bug), and this file never has two.
3. **Derived.** It can be deleted, and a damaged one is put aside: the log and InfluxDB do not depend on it.

**Levels.** Windows of 10 s, 1 min, 15 min and 1 h. Only the finest is written as data arrives. A coarser window is
computed from the finer rows once it is over, and again when late data has changed them: the table `stale` holds what is
to be computed. That writes a fifth of what keeping every level up to date would, and flash wears by what is written.

**Layout.** Rows are clustered by (window, series): data arrives by window, so a commit touches a few neighbouring
pages, and retention drops a range. Reading one series seeks once for each window, about two microseconds.
"""
