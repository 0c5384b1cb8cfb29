"""From what a plant engineer has (a YAML file, tag lists in CSV or XLSX) to a configuration, or to a list of problems.

`document` reads YAML with the place of every value, `taglists` reads tables with the place of every cell, `explain`
turns what pydantic says into sentences, and `crosscheck` looks at the whole file.
"""
