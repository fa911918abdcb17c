"""Codabench (https://www.codabench.org): checking a bundle of any challenge, and exporting one.

``bundle``   a zip or a folder, unpacked within bounds, and what its settings hold
``check``    every problem of one, by the rules of Codabench's code: ``rules.toml``, ``fields.toml``

It is checked without Codabench's own code, which needs its server and stops at the first fault.
"""
