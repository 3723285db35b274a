# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as ten kinds and their leaves.

A kind says what a caller can do about it (correct the request, wait, ask an
administrator …); ``wsgi/faults.py`` maps each kind to one HTTP status.  A leaf
adds a sentence.  Nothing here knows HTTP, and every message is fit for the
person who sent the request: it names the thing, the value and the rule.
"""

from typing import Any


class Error(Exception):
    """Root of all errors raised on purpose.

    ``message`` is a ``str.format`` template filled with the keyword arguments,
    which stay readable as ``details``.
    """

    message = 'An unexpected error occurred.'

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.details = details
        super().__init__(message or self.message.format(**details))

    @property
    def kwargs(self) -> dict[str, Any]:
        """From this and the text, oslo.messaging rebuilds the error in the process that called."""
        return self.details

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), str(self), self.details))


def _rebuild(kind: type['Error'], text: str, details: dict[str, Any]) -> 'Error':
    return kind(text, **details)


# ------------------------------------------------------------------- kinds

class Invalid(Error):
    """The request can never be right as it stands."""

    message = '{reason}'


class Unauthenticated(Error):
    """Nobody is known to be asking."""

    message = 'This request needs a valid token.'


class Forbidden(Error):
    """The caller may not do this."""

    message = 'Rule {action} does not allow this.'


class OverQuota(Error):
    """The caller has used up what he may use."""

    message = 'Quota exceeded for {resource}: {requested} asked for, {used} of {limit} in use.'


class NotFound(Error):
    """What was named does not exist, or not for this caller."""

    message = 'The resource could not be found.'


class Conflict(Error):
    """The request is fine, the present state is not."""

    message = '{reason}'


class Gone(Error):
    """The function has been removed for good."""

    message = 'This API was removed: {reason}'


class TooLarge(Error):
    """The body is bigger than the service reads."""

    message = 'The request body is larger than {limit} bytes.'


class Unsupported(Error):
    """Nothing here can do that."""

    message = '{reason}'


class Unavailable(Error):
    """It may work in a moment: a part that is needed does not answer."""

    message = '{reason}'
    retry_after = 5


# --------------------------------------------------------------- not found

class ServerNotFound(NotFound):
    message = 'No server with id {server}.'


class FlavorNotFound(NotFound):
    message = 'No flavor with id {flavor}.'


class ExtraSpecNotFound(NotFound):
    message = 'Flavor {flavor} has no extra spec {key}.'


class FlavorAccessNotFound(NotFound):
    message = 'Project {project} has no access to flavor {flavor}.'


class KeypairNotFound(NotFound):
    message = 'User {user} has no keypair {name}.'


class ServiceNotFound(NotFound):
    message = 'No service {service}.'


class HostNotFound(NotFound):
    message = 'No compute host {host}.'


class ImageNotFound(NotFound):
    message = 'No image {image}.'


class AggregateNotFound(NotFound):
    message = 'There is no aggregate {aggregate}.'


class AggregateHostNotFound(NotFound):
    message = 'Host {host} is not in aggregate {aggregate}.'


class ServerGroupNotFound(NotFound):
    message = 'There is no server group {group}.'


class TagNotFound(NotFound):
    message = 'Server {server} has no tag {tag}.'


class MetadataItemNotFound(NotFound):
    message = 'Server {server} has no metadata item {key}.'


class MarkerNotFound(Invalid):
    message = 'marker [{marker}] not found: this list has no such entry.'


class MigrationNotFound(NotFound):
    message = 'Server {server} has no migration {migration}.'


class OperationNotFound(NotFound):
    message = 'There is no operation {operation}.'


class NetworkNotFound(NotFound):
    message = 'There is no network {network}.'


class SubnetNotFound(NotFound):
    message = 'There is no subnet {subnet}.'


class PortNotFound(NotFound):
    message = 'There is no port {port}.'


class RouterNotFound(NotFound):
    message = 'There is no router {router}.'


class SecurityGroupNotFound(NotFound):
    message = 'There is no security group {group}.'


class SecurityGroupRuleNotFound(NotFound):
    message = 'There is no security group rule {rule}.'


class FloatingIpNotFound(NotFound):
    message = 'There is no floating address {floating_ip}.'


class FloatingIpPoolNotFound(NotFound):
    message = 'There is no pool of floating addresses {pool}.'


class VolumeNotFound(NotFound):
    message = 'No volume {volume}.'


class VolumeSnapshotNotFound(NotFound):
    message = 'No snapshot {snapshot}.'


class VolumeAttachmentNotFound(NotFound):
    message = 'No attachment {attachment}.'


class VolumeTypeNotFound(NotFound):
    message = 'No volume type {type}.'


# ---------------------------------------------------------------- conflict

class FlavorExists(Conflict):
    message = 'A flavor with {field} {value} exists already.'


class FlavorAccessExists(Conflict):
    message = 'Project {project} has access to flavor {flavor} already.'


class KeypairExists(Conflict):
    message = 'A keypair named {name!r} exists already.'


class AggregateExists(Conflict):
    message = 'An aggregate named {name!r} exists already.'


class AggregateHostExists(Conflict):
    message = 'Host {host} is in aggregate {aggregate} already.'


class WrongState(Conflict):
    """``attribute`` holds ``found`` where the operation wants one of ``wanted``."""

    message = '{operation} needs {attribute} {wanted}; server {server} has {attribute} {found}.'


class NotLaunched(Conflict):
    message = '{operation} needs a server that has run; server {server} never did.'


class ServerLocked(Conflict):
    message = 'Server {server} is locked.'


class NetworkAmbiguous(Conflict):
    message = 'Several networks can be used ({networks}): the request has to name those that it wants.'


class NetworkInUse(Conflict):
    message = 'Network {network} has ports: {ports}.'


class SubnetInUse(Conflict):
    message = 'Subnet {subnet} has addresses that are given away: {addresses}.'


class PortInUse(Conflict):
    message = 'Port {port} belongs to {device} already.'


class PortBindingFailed(Conflict):
    message = 'Port {port} cannot be bound on host {host}: nothing there serves its network.'


class RouterInUse(Conflict):
    message = 'Router {router} has interfaces: {ports}.'


class AddressInUse(Conflict):
    message = 'Address {address} on network {network} is in use already.'


class NoMoreAddresses(Conflict):
    message = 'No address is left on network {network}.'


class SecurityGroupAmbiguous(Conflict):
    message = 'Several security groups are called {group!r}: name the one that is meant by its id.'


class SecurityGroupInUse(Conflict):
    message = 'Security group {group} is in use by port {port}.'


class SecurityGroupCannotRemoveDefault(Conflict):
    message = 'Security group {group} is the default group of its project, which cannot be removed.'


class SecurityGroupCannotUpdateDefault(Conflict):
    message = 'Security group {group} is the default group of its project, whose name cannot be changed.'


class SecurityGroupDefaultAlreadyExists(Conflict):
    message = "Every project has one security group called 'default', and no second one."


class SecurityGroupRuleExists(Conflict):
    message = 'Security group {group} has a rule that says the same: {rule}.'


class FloatingIPPortAlreadyAssociated(Conflict):
    message = 'Another floating address leads to that address of port {port} already.'


class LateReport(Conflict):
    """A worker reports on an operation that is no longer his."""

    message = 'Operation {operation} is not held by {reporter} any more.'


class KeyReused(Conflict):
    message = ('This Idempotency-Key came with another request before: with another user, microversion, path or body. '
               'A new request needs a new key.')


class KeyInUse(Conflict):
    """The first request with this key has neither come to its end nor died for sure."""

    message = 'The first request with this Idempotency-Key is still being worked on; send it again.'
    retry_after = 5


# ---------------------------------------------------------------- placement

class NoValidHost(Error):
    """No host can take the server; the text counts the reasons."""

    message = 'No valid host was found. {reason}'


# ----------------------------------------------------------------- volumes

class InvalidVolume(Conflict):
    """The state of a volume does not allow it."""

    message = 'Invalid volume: {reason}'


class VolumeHeld(Conflict):
    message = ('Attachment {attachment} is what server {server} has the volume by: only the compute service ends it. '
               'Detach the volume from the server.')


class InvalidVolumeSnapshot(Conflict):
    """The state of a snapshot does not allow it."""

    message = 'Invalid snapshot: {reason}'


class VolumeTypeExists(Conflict):
    message = 'A volume type named {name!r} exists already.'


class VolumeTypeInUse(Conflict):
    message = 'There are volumes of type {type}.'


class NoVolumeService(Invalid):
    message = 'No volume service is configured here: a server can only boot from an image onto a local disk.'


# --------------------------------------------------------------- start-up

class StartError(Error):
    """A program cannot start; the text says what to change."""

    message = '{reason}'


# -------------------------------------------------------------- hypervisor

class GuestNotFound(NotFound):
    message = 'Host {host} has no guest of server {server}.'


class HypervisorError(Error):
    """The hypervisor did not do what it was asked to."""

    message = '{reason}'


class ImageRefused(HypervisorError):
    """What is in an image is not what its record says, or would do harm on a host."""

    message = 'Image {image} cannot be used: {reason}'


class ImageTooBig(ImageRefused):
    """It may fit another flavor."""


class InterfaceAttachFailed(Error):
    """It was accepted and could not be done."""

    message = 'Server {server} did not get the interface: {reason}'


class MigrationAborted(HypervisorError):
    """Somebody asked for it."""

    message = 'The live migration of server {server} was aborted.'
