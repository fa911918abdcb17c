"""The only code of the kit that uses the network: open data, fetched once, hashed at every load.

`get` asks one mirror after the other, `transfer` brings one file safely, `store` knows where it
lies and checks it. A file takes its place only if its bytes are those that the manifest promises.
"""

from datkit.fetch.get import fetch
from datkit.fetch.store import Check, load_folder, load_path, verify, where

__all__ = ["Check", "fetch", "load_folder", "load_path", "verify", "where"]
