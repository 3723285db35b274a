# SPDX-License-Identifier: Apache-2.0
"""What oslo.policy's own commands ask of us: oslopolicy-sample-generator, -checker and -list-redundant.

They find these functions by entry points and know neither our configuration nor our rooms.
"""

import sys

from oslo_config import cfg
from oslo_policy import policy

from nova_lite import api, conf
from nova_lite.auth.policy import BASE_RULES


def list_rules() -> list[policy.RuleDefault]:
    """Every rule with its default."""
    return [*BASE_RULES, *api.list_rules()]


def get_enforcer() -> policy.Enforcer:
    """An engine with the operator's policy file, read from the usual places."""
    # The command's own options are on the same command line; only these concern the configuration.
    arguments = [argument for argument in sys.argv[1:] if argument.startswith('--config-')]
    configuration = conf.register_all(cfg.CONF)
    configuration(arguments, project=conf.PROJECT)
    enforcer = policy.Enforcer(configuration)
    enforcer.register_defaults(list_rules())
    enforcer.load_rules()
    return enforcer
