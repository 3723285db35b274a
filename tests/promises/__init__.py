# SPDX-License-Identifier: Apache-2.0
"""What services promise to the program, as tests that each twin inherits: the embedded one and the real one."""

import pytest

pytest.register_assert_rewrite('tests.promises.network', 'tests.promises.volume')
