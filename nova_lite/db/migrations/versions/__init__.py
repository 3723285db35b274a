# SPDX-License-Identifier: Apache-2.0
"""One module per step of the schema; ``nova_lite.db.schema.REVISIONS`` lists them in order."""
