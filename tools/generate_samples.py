# SPDX-License-Identifier: Apache-2.0
"""Writes the samples in etc/ from the registered options and rules, or checks that they are fresh.

The libraries' options change with the libraries' versions, which the requirements leave open.
So the sample names the versions it was made with, and ``--check`` compares a library's part
only where the installed version is that one; our own parts always have to match.
"""

import argparse
import difflib
import importlib.metadata
import re
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG_SAMPLE = ROOT / 'etc' / 'nova.conf.sample'
POLICY_SAMPLE = ROOT / 'etc' / 'policy.yaml.sample'
# Written by hand above what the generator writes.
PREAMBLE = """\
# Everything that nova-api, nova-conductor and nova-compute read, with the defaults.
# Made by `make genconfig`; change the options' modules, not this file.
"""

Blocks = dict[tuple[str, str], str]


def distribution(namespace: str) -> str:
    """The package that registers an option namespace."""
    for entry in importlib.metadata.entry_points(group='oslo.config.opts', name=namespace):
        if entry.dist is not None:
            return entry.dist.name
    raise SystemExit(f'no installed package registers the options {namespace}')


def make_config(target: Path) -> None:
    """Write the configuration sample to ``target``."""
    from oslo_config import cfg, generator
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(['--config-file', str(ROOT / 'etc' / 'oslo-config-generator.conf'), '--output-file', str(target)])
    generator.generate(conf)
    libraries = sorted({distribution(namespace) for namespace in conf.namespace} - {'nova-lite'})
    versions = ''.join(f'# {name} {importlib.metadata.version(name)}\n' for name in libraries)
    target.write_text(f'{PREAMBLE}#\n{versions}\n{target.read_text()}')


def make_policy(target: Path) -> None:
    """Write the policy sample to ``target``."""
    from oslo_policy import generator
    generator.generate_sample(['--config-file', str(ROOT / 'etc' / 'oslo-policy-generator.conf'),
                               '--output-file', str(target)])


def versions_in(text: str) -> dict[str, str]:
    """The library versions that a configuration sample says it was made with."""
    return dict(re.findall(r'^# ([\w.-]+) (\d[\w.]*)$', text.split('\n\n', 1)[0], re.MULTILINE))


def blocks_in(text: str) -> Blocks:
    """A configuration sample's text by section and option namespace."""
    blocks: Blocks = {}
    for section in re.split(r'^(?=\[)', text, flags=re.MULTILINE)[1:]:
        name = section.split(']', 1)[0].lstrip('[')
        for part in re.split(r'^(?=#\n# From )', section, flags=re.MULTILINE)[1:]:
            namespace = part.split('\n', 2)[1].removeprefix('# From ')
            blocks[name, namespace] = part.strip()
    return blocks


def stale_config(present: str, fresh: str) -> list[str]:
    """What differs, but for the parts of libraries that are installed in another version."""
    made_with, installed = versions_in(present), versions_in(fresh)
    old, new = blocks_in(present), blocks_in(fresh)
    differences = []
    for key in sorted(old.keys() | new.keys()):
        section, namespace = key
        package = distribution(namespace)
        if package != 'nova-lite' and made_with.get(package) != installed.get(package):
            continue
        if old.get(key) != new.get(key):
            lines = difflib.unified_diff(old.get(key, '').splitlines(), new.get(key, '').splitlines(),
                                         'sample', 'code', lineterm='', n=1)
            differences.append(f'[{section}] {namespace}:\n' + '\n'.join(lines))
    return differences


def check() -> list[str]:
    """What in etc/ is not what the code says."""
    problems = []
    with tempfile.TemporaryDirectory() as directory:
        config, policy = Path(directory) / 'config', Path(directory) / 'policy'
        make_config(config)
        make_policy(policy)
        present = CONFIG_SAMPLE.read_text() if CONFIG_SAMPLE.exists() else ''
        problems += stale_config(present, config.read_text())
        if not POLICY_SAMPLE.exists() or POLICY_SAMPLE.read_text() != policy.read_text():
            problems.append(f'{POLICY_SAMPLE.name} differs from the rules')
    return problems


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='write nothing; fail if a sample is stale')
    arguments = parser.parse_args()
    # The libraries tell each other about their own future here; nobody who makes a sample can act on it.
    warnings.simplefilter('ignore')
    if arguments.check:
        problems = check()
        print('\n'.join(problems) + '\nRun `make genconfig`.' if problems else 'The samples are fresh.')
        return 1 if problems else 0
    make_config(CONFIG_SAMPLE)
    make_policy(POLICY_SAMPLE)
    print(f'==> Wrote {CONFIG_SAMPLE.relative_to(ROOT)} and {POLICY_SAMPLE.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
