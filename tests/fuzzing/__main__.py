"""``python -m tests.fuzzing --seconds N [reader …]``: fuzz for longer than the tests do.

With atheris installed its mutations follow what code they reach, beside our own; without it there
are our own alone. What a reader neither understands nor refuses is kept in ``seeds/``.
"""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from types import FrameType, ModuleType

import attrs

try:
    import atheris
except ModuleNotFoundError:
    atheris: ModuleType | None = None  # type: ignore[no-redef]

from tests.fuzzing.mutation import mutate

if atheris is None:
    from tests.fuzzing.readers import READERS, Reader
else:
    with atheris.instrument_imports(include=["aioregistry"]):
        from tests.fuzzing.readers import READERS, Reader

_SEEDS = Path(__file__).parent / "seeds"
_SLOW_SECONDS = 5
# So many files for one place in the code that goes wrong.
_MOST_OF_A_KIND = 1


class _TooSlowError(BaseException):
    """A reader that takes so long hangs, for all that anyone waits."""


@attrs.define
class _Findings:
    """What went wrong, by the place where it did."""

    reader: Reader
    tried: int = 0
    understood: int = 0
    places: Counter[str] = attrs.field(factory=Counter)

    def look(self, document: bytes) -> bool:
        """Give a document to the reader, and keep it when that goes wrong."""
        self.tried += 1
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, _SLOW_SECONDS)
            try:
                understood = self.reader.understands(document)
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except (Exception, _TooSlowError) as error:  # noqa: BLE001  (any is a find)
            self._keep(document, error)
            return False
        self.understood += understood
        return understood

    def _keep(self, document: bytes, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "aioregistry" in frame.filename] or frames
        place = f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"
        tested = [frame for frame in frames if "fuzzing" in frame.filename]
        place += f" ({tested[-1].line})" if tested else ""
        self.places[place] += 1
        if self.places[place] <= _MOST_OF_A_KIND:
            folder = _SEEDS / self.reader.name
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"found-{hashlib.sha256(document).hexdigest()[:12]}"
            path.write_bytes(document)
            sys.stdout.write(f"{self.reader.name}: {place}: {str(error)[:200]!r}\n  {path}\n")
            sys.stdout.flush()


def _too_slow(_: int, frame: FrameType | None) -> None:
    raise _TooSlowError


def _fuzz(reader: Reader, seconds: float, seed: int) -> _Findings:
    findings, random = _Findings(reader), Random(seed)
    corpus = [*reader.samples, *(path.read_bytes() for path in reader.seeds)]
    for document in corpus:
        findings.look(document)
    pool = list(reader.samples)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        document = mutate(random.choice(pool), random, corpus)
        # What is understood leads further from the samples than one step does.
        if findings.look(document) and len(document) < 5000 and random.random() < 0.05:
            pool.append(document)
            if len(pool) > 200:
                del pool[random.randrange(len(reader.samples), len(pool))]
    return findings


def _report(findings: _Findings, seconds: float) -> None:
    sys.stdout.write(
        f"{findings.reader.name:15} {findings.tried:9,} inputs in {seconds:4.0f} s,"
        f" {findings.understood:8,} understood; {len(findings.places)} places that go wrong\n"
    )
    sys.stdout.flush()


def _fuzz_by_coverage(reader: Reader, seconds: float, seed: int) -> None:
    """Let atheris choose; it ends its process, so each reader has one of its own."""
    assert atheris is not None
    findings = _Findings(reader)
    begun = time.monotonic()

    def look(document: bytes) -> None:
        findings.look(document)
        if time.monotonic() - begun > seconds:
            _report(findings, time.monotonic() - begun)
            os._exit(bool(findings.places))

    def change(document: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.5:
            return bytes(atheris.Mutate(document, longest))[:longest]
        return mutate(document or reader.samples[0], random, reader.samples)[:longest]

    corpus = Path(os.environ["FUZZING_CORPUS"])
    for nth, sample in enumerate(reader.samples):
        (corpus / f"sample-{nth}").write_bytes(sample)
    options = [
        sys.argv[0],
        f"-seed={seed}",
        "-max_len=20000",
        "-rss_limit_mb=4096",
        "-timeout=60",
        "-verbosity=0",
        "-print_final_stats=0",
        "-print_pcs=0",
        str(corpus),
    ]
    atheris.Setup(options, look, custom_mutator=change)
    atheris.Fuzz()


def main() -> int:
    """Fuzz the readers that are named, or all, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing")
    parser.add_argument("--seconds", type=float, default=10, help="for each reader")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--without-coverage", action="store_true", help="though atheris is there")
    parser.add_argument("readers", nargs="*", metavar="reader", help=", ".join(READERS))
    given = parser.parse_args()
    unknown = set(given.readers) - READERS.keys()
    if unknown:
        parser.error(f"no reader {', '.join(unknown)}; there are {', '.join(READERS)}")
    seed = int.from_bytes(os.urandom(4), "big") >> 1 if given.seed is None else given.seed
    warnings.simplefilter("error")
    signal.signal(signal.SIGVTALRM, _too_slow)
    chosen = given.readers or list(READERS)
    by_coverage = atheris is not None and not given.without_coverage
    if by_coverage and len(chosen) == 1 and "FUZZING_CORPUS" in os.environ:
        _fuzz_by_coverage(READERS[chosen[0]], given.seconds, seed)
    sys.stdout.write(f"seed {seed}\n")
    failed = False
    for name in chosen:
        begun = time.monotonic()
        findings = _fuzz(READERS[name], given.seconds / (2 if by_coverage else 1), seed)
        _report(findings, time.monotonic() - begun)
        failed |= bool(findings.places)
        if by_coverage:
            failed |= _apart(name, given.seconds / 2, seed) != 0
    return int(failed)


def _apart(name: str, seconds: float, seed: int) -> int:
    with tempfile.TemporaryDirectory() as corpus:
        return subprocess.run(
            [sys.executable, "-m", "tests.fuzzing", f"--seconds={seconds}", f"--seed={seed}", name],
            env=os.environ | {"FUZZING_CORPUS": corpus},
            check=False,
            stderr=subprocess.DEVNULL,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
