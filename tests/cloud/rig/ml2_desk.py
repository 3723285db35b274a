# SPDX-License-Identifier: Apache-2.0
"""A mechanism driver of Neutron for hosts without agents: it binds every port, but on hosts whose name begins with
``unbindable``."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class DeskMechanism(api.MechanismDriver):
    """All hosts are on one desk, so every network reaches all of them."""

    def initialize(self) -> None:
        """There is nothing to prepare."""

    @property
    def connectivity(self) -> str:
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context: object) -> None:
        if context.host.startswith('unbindable'):
            return
        for segment in context.segments_to_bind:
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_BRIDGE, {portbindings.CAP_PORT_FILTER: True},
                                status=constants.PORT_STATUS_ACTIVE)
            return
