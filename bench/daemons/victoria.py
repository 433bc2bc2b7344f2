"""VictoriaMetrics, which takes remote write, and scrapes."""

from __future__ import annotations

from . import Daemon, reached
from .prometheus import SCRAPING

KINDS = {"exposition": "promscrape", "remote_write": "promremotewrite"}


class Victoria(Daemon):
    """One process."""

    name = "victoria-metrics"
    program = "victoria-metrics"

    def command(self):
        told = [
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.folder}/data",
            "-loggerLevel=ERROR",
        ]
        if "exposition" in self.ways:
            place = self.folder / "scraping.yml"
            place.write_text(SCRAPING.format(target=self.options["target"].split("/")[2]))
            told.append(f"-promscrape.config={place}")
        return [self.program, *told]

    def ready(self):
        return self.get("/health") == "OK"

    def address(self, _):
        return {"url": f"http://127.0.0.1:{self.port}/api/v1/write"}

    def taken(self, way):
        return int(self.number("/metrics", f'vm_rows_inserted_total{{type="{KINDS[way]}"}}'))

    def settled(self, way, told):
        """Of a scrape it counts five more than was shown."""
        reached(lambda: min(self.taken(way), told["sent"]), told["sent"])
