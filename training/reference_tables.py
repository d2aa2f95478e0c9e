"""Derive rice_stream/reference/data/derived/*.csv from a folder of published data sets.

    python training/reference_tables.py SOURCE_DIR [--check]

SOURCE_DIR holds regions/, models/, hosted/, ml_energy/, llm_perf/ and helm/ as docs/reference-data.md lists them. Figures are
carried over with their source beside each row; no file is. What is written depends on SOURCE_DIR and on the tables
kept by hand in rice_stream/reference/data alone, and is the same for every run. `--check` writes nothing and fails
where a file would change.
"""

import argparse
import csv
import io
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from rice_stream.reference.columns import ReferenceTable
from rice_stream.reference.hosted.tables import CAPACITY, PRICES
from rice_stream.reference.loader import read_layer
from rice_stream.reference.merging import merge_layers
from rice_stream.reference.reading import read_table
from rice_stream.reference.tables import ALIASES, FALLBACKS, MODELS, PUE, RCI, WUE

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from training.reference_fallbacks import fallback_rows
from training.reference_hosted import capacity_rows, price_rows
from training.reference_lifecycle import lifecycle_rows
from training.reference_models import Cells, Sheet, model_rows, read_sheet

DATA = Path(__file__).resolve().parent.parent / "rice_stream" / "reference" / "data"

BOOTSTRAP = {"fallback_id": "default", "rung": "default", "pattern": "*", "params_total_b": "1", "source": "none"}
"""Stands in for the fallbacks while these are being derived."""

# Google publishes one value per region; it stands for every site on the same grid.
GRID_OF = {
    "us-pjm": "us-east4",
    "us-caiso": "us-west2",
    "us-ercot": "us-south1",
    "us-southern": "us-east2",
    "au-nsw": "australia-southeast1",
    "au-vic": "australia-southeast2",
    "br-southeast": "southamerica-east1",
    "ca-qc": "northamerica-northeast1",
    "ca-on": "northamerica-northeast2",
    "in-west": "asia-south1",
    "in-north": "asia-south2",
    "it-north": "europe-west8",
    "jp-tokyo": "asia-northeast1",
    "jp-kansai": "asia-northeast2",
    "se-3": "europe-north2",
    "be": "europe-west1",
    "ch": "europe-west6",
    "cl": "southamerica-west1",
    "de": "europe-west3",
    "es": "europe-southwest1",
    "fi": "europe-north1",
    "fr": "europe-west9",
    "gb": "europe-west2",
    "hk": "asia-east2",
    "id": "asia-southeast2",
    "il": "me-west1",
    "kr": "asia-northeast3",
    "mx": "northamerica-south1",
    "nl": "europe-west4",
    "pl": "europe-central2",
    "qa": "me-central1",
    "sa": "me-central2",
    "sg": "asia-southeast1",
    "th": "asia-southeast3",
    "tw": "asia-east1",
    "za": "africa-south1",
}
AREAS = {"country:EU27": "area:eu27", "country:EUROPE": "area:europe", "country:WORLD": "world"}
SOURCE_OF_KIND = {"us-egrid": "epa-egrid-2023", "us-state": "epa-egrid-2023", "cn-province": "china-mee-2023"}
DISCLOSURES = {
    ("AWS", "region"): "aws-disclosure",
    ("Microsoft", "region"): "microsoft-disclosure",
    ("Microsoft", "region-factsheet"): "microsoft-factsheets",
    ("Google", "region"): "google-disclosure",
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source_dir", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    options = parser.parse_args(argv)
    written = derive(options.source_dir)
    changed = [name for name, text in written.items() if not _same(DATA / "derived" / name, text)]
    if options.check:
        print("\n".join(f"would change: {name}" for name in changed) or "up to date")
        return 1 if changed else 0
    (DATA / "derived").mkdir(exist_ok=True)
    for name in changed:
        (DATA / "derived" / name).write_text(written[name], "utf-8")
    print(f"{len(written)} tables, {len(changed)} changed")
    return 0


def derive(source_dir: Path) -> dict[str, str]:
    """File name -> text of every derived table."""
    regions = read_sheet(source_dir / "regions" / "regions.csv")
    hand = read_layer(DATA)
    default = read_table(FALLBACKS, sheet_text(FALLBACKS, [BOOTSTRAP]), "bootstrap")
    models = model_rows(source_dir, hand, default)
    rci = rci_rows(regions)
    texts = {
        RCI.file_name: sheet_text(RCI, [*rci, *lifecycle_rows(rci, hand["regions"])]),
        PUE.file_name: sheet_text(PUE, pue_rows(regions)),
        WUE.file_name: sheet_text(WUE, wue_rows(regions)),
        MODELS.file_name: sheet_text(MODELS, models.models.values()),
        ALIASES.file_name: sheet_text(ALIASES, models.aliases.values()),
        PRICES.file_name: sheet_text(PRICES, price_rows(source_dir)),
        CAPACITY.file_name: sheet_text(CAPACITY, capacity_rows(hand["regions"])),
    }
    merged = merge_layers([{MODELS.name: read_table(MODELS, texts[MODELS.file_name], MODELS.file_name)}, hand])
    texts[FALLBACKS.file_name] = sheet_text(FALLBACKS, fallback_rows(merged[MODELS.name]))
    return texts


def sheet_text(table: ReferenceTable, rows: Iterable[Cells]) -> str:
    """CSV text of the rows, sorted by key and date, checked by reading it again."""
    names = [column.name for column in table.columns]
    ordered = sorted(
        rows, key=lambda row: (*(str(row.get(name, "")) for name in table.key), str(row.get("valid_from", "")))
    )
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(ordered)
    read_table(table, out.getvalue(), f"derived {table.file_name}")
    return out.getvalue()


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


# ---- carbon intensity, PUE, water --------------------------------------------------------------------------------


def rci_rows(regions: Sheet) -> list[Cells]:
    """One row per place and scope. A published zero is a gap in the data, not clean electricity: it is left out."""
    by_id = {row["region_id"]: row for row in regions}
    rows = []
    for row in regions:
        value, kind = float(row["rci_gco2e_per_kwh"]), row["provider"]
        if kind == "country" and value > 0:
            rows.append(_rci(AREAS.get(row["region_id"], row["region_id"]), "lifecycle", row, "owid-ember-2026-04"))
        elif kind == "gcp":
            rows.append(_rci(row["region_id"], "direct", row, "google-region-carbon-2025"))
        elif row["region_id"] == "us-egrid:US":
            rows.append(_rci("country:US", "direct", row, "epa-egrid-2023"))
        elif kind in SOURCE_OF_KIND and row["region_id"] != "us-state:usa":
            rows.append(_rci(row["region_id"], "direct", row, SOURCE_OF_KIND[kind]))
    for grid, region in GRID_OF.items():
        cells = _rci(f"grid:{grid}", "direct", by_id[f"gcp:{region}"], "google-region-carbon-2025")
        rows.append({**cells, "note": f"value that Google publishes for {region} on the same grid"})
    return rows


def _rci(region_id: str, scope: str, row: Mapping[str, str], source: str) -> Cells:
    if row["rci_scope"] != scope or row["rci_signal"] != "average" or row["rci_method"] != "location-based":
        raise ValueError(f"{region_id}: the source row is {row['rci_scope']} {row['rci_signal']} {row['rci_method']}")
    return {
        "region_id": region_id,
        "scope": scope,
        "signal": "average",
        "accounting": "location",
        "rci_gco2e_per_kwh": row["rci_gco2e_per_kwh"],
        "year": row["rci_year"],
        "source": source,
        "note": "CO2 only" if row["notes"].startswith("CO2 only") else "",
    }


def pue_rows(regions: Sheet) -> list[Cells]:
    """What the clouds disclose per region; fleets and industry means are kept by hand."""
    rows = []
    for row in regions:
        source = DISCLOSURES.get((row["pue_source"].split(" ")[0], row["pue_basis"]))
        if source is not None:
            basis = "factsheet" if row["pue_basis"] == "region-factsheet" else "region"
            cells = {"subject": row["region_id"], "basis": basis, "pue": row["pue"], "year": row["pue_year"]}
            rows.append({**cells, "source": source})
    return rows


def wue_rows(regions: Sheet) -> list[Cells]:
    rows = []
    for row in regions:
        source = DISCLOSURES.get((row["pue_source"].split(" ")[0], row["pue_basis"]))
        if source is not None and row["wue_basis"] == "region":
            cells = {"subject": row["region_id"], "basis": "region", "wue_l_per_kwh": row["wue_l_per_kwh"]}
            rows.append({**cells, "year": row["wue_year"], "source": source})
    return rows


if __name__ == "__main__":
    sys.exit(main())
