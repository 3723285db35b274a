# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds these pages; they read as plain text as well."""

project = 'nova-lite'
copyright = 'the nova-lite authors'
extensions: list[str] = []
exclude_patterns = ['_build']
html_theme = 'alabaster'
