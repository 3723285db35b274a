# SPDX-License-Identifier: Apache-2.0
"""From a server to the XML of its domain, without a libvirt: whole guests against files, and each wish by itself."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nova_lite import errors
from nova_lite.model import block_devices
from nova_lite.model.block_devices import BLANK, LOCAL, VOLUME, Wish
from nova_lite.virt.libvirt import design, layout, xml
from tests.fixtures.compute import FLAVOR, make_conf, make_server

GOLDENS = Path(__file__).parent / 'goldens'
UUID = '11111111-2222-4333-8444-555555555555'
MAC = 'fa:16:3e:00:00:01'
INTERFACE = {'slot': '000', 'port_id': '99999999-2222-4333-8444-555555555555', 'network_id': 'n', 'network': 'net',
             'mac': MAC, 'mtu': 1450, 'tag': None, 'groups': [], 'addresses': []}


@pytest.fixture
def conf(tmp_path):
    return make_conf(tmp_path)


def server(image=None, specs=None, flavor=None, **known):
    return make_server(**{
        'uuid': UUID, 'image_ref': 'image-1', 'image_properties': image or {},
        'flavor': {**FLAVOR, 'extra_specs': specs or {}, **(flavor or {})}, **known})


def disks_of(conf, one, config_drive=False, kind=design.QEMU):
    machine = design.machine_of(conf, one, design.Ground(kind)).machine
    said = layout.defaults(conf, design.wishes_of(one), machine)
    return layout.layout(one, Path('/instances') / one.uuid, said, config_drive)


def domain_of(conf, one, kind=design.QEMU, config_drive=False, **extras):
    ground = design.Ground(kind, limits_cpu=kind == design.KVM)
    disks = disks_of(conf, one, config_drive, kind)
    return design.domain(conf, 'desk', one, disks, ground, design.Extras(**extras)).element()


def volume(name='/dev/vdb', boot_index=-1, **data):
    made = block_devices.device(Wish(VOLUME, VOLUME, f'volume-{name[-1]}', size=1, device=name, boot_index=boot_index))
    return {**made, 'id': f'device-{name[-1]}', 'connection': {'driver_volume_type': 'local', 'data': {
        'device_path': f'/volumes/{name[-1]}', 'format': 'raw', **data}}}


# ------------------------------------------------------------------------- goldens

def plain(conf):
    return domain_of(conf, server(image={'hw_architecture': 'x86_64'}), console_log='/instances/console.log')


def everything(conf):
    conf.set_override('cpu_mode', 'custom', 'libvirt')
    conf.set_override('cpu_models', ['Nehalem'], 'libvirt')
    conf.set_override('cpu_model_extra_flags', ['+pcid', '-avx'], 'libvirt')
    conf.set_override('bridge', 'br0', 'libvirt')
    image = {
        'hw_architecture': 'x86_64', 'hw_machine_type': 'q35', 'hw_disk_bus': 'scsi', 'hw_vif_model': 'virtio',
        'hw_vif_multiqueue_enabled': 'true', 'hw_video_model': 'qxl', 'hw_video_ram': '32', 'hw_firmware_type': 'uefi',
        'os_secure_boot': 'required', 'hw_qemu_guest_agent': 'yes', 'hw_boot_menu': 'true', 'hw_cpu_cores': '2',
        'hw_tpm_version': '2.0', 'hw_tpm_model': 'tpm-crb', 'hw_serial_port_count': '2', 'os_admin_user': 'debian',
        'hw_sound_model': 'ich9'}
    specs = {
        'hw:watchdog_action': 'reset', 'hw_rng:rate_bytes': '1024', 'hw_rng:rate_period': '1000',
        'quota:cpu_shares': '2048', 'quota:disk_read_iops_sec': '500', 'quota:vif_inbound_average': '1000',
        'hw_video:ram_max_mb': '64', 'hw:mem_page_size': '2MB'}
    one = server(image, specs, {'vcpus': 4, 'ram': 2048, 'ephemeral': 2, 'swap': 64},
                 interfaces=[INTERFACE], block_devices=[volume('/dev/sdx')], name='<&"web\x01>')
    return domain_of(conf, one, design.KVM, config_drive=True, console_log='/instances/console.log',
                     serial_listen=[('127.0.0.1', 10000)], arguments=['-sandbox', 'on'])


@pytest.mark.parametrize('make', [plain, everything], ids=['plain', 'everything'])
def test_a_whole_guest(conf, make):
    element = make(conf)
    ET.indent(element)
    path = GOLDENS / f'libvirt-{make.__name__}.xml'
    found = xml.render(element) + '\n'
    assert found == (path.read_text() if path.exists() else ''), f'It differs from {path}:\n{found}'


# ------------------------------------------------------------------------ each wish

@pytest.mark.parametrize(('image', 'path', 'name', 'value'), [
    ({'hw_disk_bus': 'sata'}, 'devices/disk/target', 'bus', 'sata'),
    ({'hw_machine_type': 'pc-i440fx-7.2'}, 'os/type', 'machine', 'pc-i440fx-7.2'),
    ({'hw_video_model': 'cirrus'}, 'devices/video/model', 'type', 'cirrus'),
    ({'hw_watchdog_action': 'pause'}, 'devices/watchdog', 'action', 'pause'),
    ({'hw_firmware_type': 'uefi'}, 'os', 'firmware', 'efi'),
    ({'hw_firmware_type': 'bios'}, 'os', 'firmware', None),
    ({'hw_time_hpet': 'true'}, 'clock/timer', 'present', 'yes'),
    ({'os_type': 'windows'}, 'clock', 'offset', 'localtime'),
    ({'hw_pmu': 'no'}, 'features/pmu', 'state', 'off'),
    ({'hw_scsi_model': 'lsilogic'}, 'devices/controller', 'model', 'lsilogic'),
    ({'hw_vif_model': 'e1000'}, 'devices/interface/model', 'type', 'e1000'),
    ({'hw_pointer_model': 'usbtablet'}, 'devices/input', 'type', 'tablet'),
    ({'hw_qemu_guest_agent': 'yes'}, 'devices/channel/target', 'name', xml.AGENT),
])
def test_what_an_image_wishes(conf, image, path, name, value):
    found = domain_of(conf, server({'hw_architecture': 'x86_64', **image}, interfaces=[INTERFACE])).find(path)
    assert found is not None and found.get(name) == value


def test_a_flavor_goes_before_an_image(conf):
    element = domain_of(conf, server({'hw_machine_type': 'pc'}, {'hw:machine_type': 'q35'}))
    assert element.find('os/type').get('machine') == 'q35'


@pytest.mark.parametrize(('image', 'specs', 'said'), [
    ({'hw_disk_bus': 'floppy'}, {}, 'hw_disk_bus'), ({'hw_vif_model': 'x'}, {}, 'hw_vif_model'),
    ({'hw_video_model': 'x'}, {}, 'hw_video_model'), ({'hw_watchdog_action': 'bark'}, {}, 'hw_watchdog_action'),
    ({'hw_boot_menu': 'perhaps'}, {}, 'hw_boot_menu'), ({'hw_firmware_type': 'x'}, {}, 'hw_firmware_type'),
    ({'hw_video_ram': '64'}, {'hw_video:ram_max_mb': '32'}, 'hw_video_ram'),
    ({'hw_cpu_cores': 'two'}, {}, 'hw_cpu_cores'), ({}, {'quota:vif_inbound_average': '-1'}, 'quota:vif'),
])
def test_a_wish_that_means_nothing_is_an_error(conf, image, specs, said):
    conf.set_override('bridge', 'br0', 'libvirt')
    with pytest.raises(errors.HypervisorError, match=said):
        domain_of(conf, server({'hw_architecture': 'x86_64', **image}, specs, interfaces=[INTERFACE]))


@pytest.mark.parametrize(('wished', 'vcpus', 'found'), [
    ({}, 4, None),
    ({'cpu_sockets': '2'}, 4, (2, 2, 1)), ({'cpu_cores': '4'}, 4, (1, 4, 1)), ({'cpu_threads': '2'}, 4, (2, 1, 2)),
    ({'cpu_sockets': '1', 'cpu_cores': '2', 'cpu_threads': '2'}, 4, (1, 2, 2)),
])
def test_processors_are_arranged_as_wished(wished, vcpus, found):
    wishes = design.wishes_of(server(specs={f'hw:{name}': value for name, value in wished.items()}))
    topology = design.topology_of(wishes, vcpus)
    assert topology == (None if found is None else xml.Topology(*found))


def test_processors_that_cannot_be_arranged_so_are_an_error():
    with pytest.raises(errors.HypervisorError, match='3 sockets'):
        design.topology_of(design.wishes_of(server(specs={'hw:cpu_sockets': '3', 'hw:cpu_cores': '1'})), 4)


@pytest.mark.parametrize(('kind', 'mode'), [(design.KVM, 'host-model'), (design.QEMU, 'maximum')])
def test_the_processor_that_a_guest_sees(conf, kind, mode):
    assert domain_of(conf, server(), kind).find('cpu').get('mode') == mode
    conf.set_override('cpu_mode', 'none', 'libvirt')
    assert domain_of(conf, server(), kind).find('cpu') is None


def test_a_name_with_xml_in_it_is_only_a_name(conf):
    name = '</name><devices/>&amp;\x00\x0b\x1f'
    element = xml.parse(xml.render(domain_of(conf, server(name=name))))
    [found] = element.iterfind(f'metadata/{{{xml.NOVA_NS}}}instance/{{{xml.NOVA_NS}}}name')
    assert found.text == '</name><devices/>&amp;\ufffd\ufffd\ufffd'
    assert len(element.findall('devices')) == 1


def test_the_mark_says_whose_guest_it_is(conf):
    [mark] = domain_of(conf, server()).iterfind(f'metadata/{{{xml.GUEST_NS}}}guest')
    assert mark.attrib == {'host': 'desk', 'admin': 'root'}


# --------------------------------------------------------------------------- disks

def targets(found):
    return {Path(disk.path).name: disk.target for disk in found.disks}


def test_disks_that_the_flavor_has(conf):
    found = disks_of(conf, server(flavor={'ephemeral': 2, 'swap': 512}), config_drive=True)
    assert targets(found) == {'disk.qcow2': 'vda', 'ephemeral0.qcow2': 'vdb', 'swap.qcow2': 'vdc', 'config.iso': 'hda'}
    assert [(one.role, one.size) for one in found.files] == [
        ('disk', 1 << 30), ('ephemeral', 2 << 30), ('swap', 512 << 20)]


def test_disks_that_were_asked_for(conf):
    devices = [block_devices.device(wish) for wish in (
        Wish(BLANK, LOCAL, size=1, device='/dev/vdb'), Wish(BLANK, LOCAL, size=1, device='/dev/vdc'),
        Wish(BLANK, LOCAL, size=64, guest_format='swap', device='/dev/vdd'))]
    found = disks_of(conf, server(flavor={'ephemeral': 2, 'swap': 512}, block_devices=devices))
    assert targets(found) == {
        'disk.qcow2': 'vda', 'ephemeral0.qcow2': 'vdb', 'ephemeral1.qcow2': 'vdc', 'swap.qcow2': 'vdd'}
    assert found.file('swap').size == 64 << 20


def test_a_server_on_a_volume_has_no_root_disk_of_its_own(conf):
    found = disks_of(conf, server(block_devices=[volume(), volume('/dev/vda', 0)], image_ref=None))
    assert not found.files
    assert [(disk.target, disk.boot_order, disk.serial) for disk in found.disks] == [
        ('vda', 1, 'volume-a'), ('vdb', None, 'volume-b')]


def test_a_name_that_is_taken_gives_way(conf):
    found = disks_of(conf, server(block_devices=[volume('/dev/vda')]))
    assert targets(found) == {'disk.qcow2': 'vda', 'a': 'vdb'}


@pytest.mark.parametrize('connection', [None, {}, {'driver_volume_type': 'iscsi', 'data': {'target_lun': 1}},
                                        {'driver_volume_type': 'local', 'data': {}}])
def test_a_volume_that_cannot_be_reached_is_an_error(conf, connection):
    said = layout.defaults(conf, design.wishes_of(server()), 'pc')
    with pytest.raises(errors.HypervisorError, match='volume-b'):
        layout.volume({**volume(), 'connection': connection}, said)


def test_what_a_volume_says_of_itself(conf):
    said = layout.defaults(conf, design.wishes_of(server(specs={'quota:disk_write_iops_sec': '10'})), 'pc')
    disk = layout.volume(volume(access_mode='ro', format='qcow2', qos_specs={'read_iops_sec': '7', 'other': 'x'}), said)
    assert (disk.readonly, disk.disk_format, disk.limits) == (True, 'qcow2', {'read_iops_sec': 7})
    assert layout.volume(volume(), said).limits == {'write_iops_sec': 10}


def test_raw_disks_where_they_are_wanted_and_what_is_there_stays(conf, tmp_path):
    conf.set_override('images_type', 'raw', 'libvirt')
    said = layout.defaults(conf, design.wishes_of(server()), 'pc')
    assert layout.local(tmp_path, 'disk', said, 'vda', 'virtio').disk_format == 'raw'
    (tmp_path / 'disk.qcow2').touch()
    assert layout.local(tmp_path, 'disk', said, 'vda', 'virtio').disk_format == 'qcow2'


def test_a_rescue_disk_takes_the_place_of_the_root(conf):
    own = disks_of(conf, server(block_devices=[volume()]))
    said = layout.defaults(conf, design.wishes_of(server()), 'pc')
    found = layout.rescued(own, layout.local(Path('/x'), 'rescue', said, 'vda', 'virtio', 1), 'vdc')
    assert targets(found) == {'rescue.qcow2': 'vda', 'disk.qcow2': 'vdc', 'b': 'vdb'}
    assert [disk.boot_order for disk in found.disks] == [1, None, None]


def test_devices_stay_where_they_were(conf):
    one = server(interfaces=[INTERFACE], block_devices=[volume()])
    before = domain_of(conf, one)
    for number, device in enumerate([*xml.disks(before).values(), *xml.interfaces(before).values()], 3):
        device.append(xml.make('address', attributes={'type': 'pci', 'slot': f'0x{number:02x}'}))
    after = xml.keep_addresses(domain_of(conf, server(
        {'hw_disk_bus': 'virtio'}, flavor={'vcpus': 2, 'swap': 1}, interfaces=[INTERFACE],
        block_devices=[volume()])), before)
    slots = {name: address.get('slot') for name, disk in xml.disks(after).items()
             if (address := disk.find('address')) is not None}
    assert slots == {'vda': '0x03', 'vdb': '0x04'}
    assert xml.interfaces(after)[MAC].find('address').get('slot') == '0x05'
    changed = xml.keep_addresses(domain_of(conf, server({'hw_disk_bus': 'sata'})), before)
    assert all(disk.find('address') is None for disk in xml.disks(changed).values())
