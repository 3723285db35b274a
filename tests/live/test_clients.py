# SPDX-License-Identifier: Apache-2.0
"""The clients that people have work unchanged against ``nova-lite up``: the openstack command, the SDK, gophercloud."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

from tests.fixtures import processes
from tests.fixtures.shell import LIMIT, environment

OPENSTACK = Path(sys.executable).parent / 'openstack'
SEQUENCES = Path(__file__).parent / 'sequences'
IMAGE, FLAVOR = 'nova-lite-nano', 'm1.nano'
SELECTOR = re.compile(r'([^.\[\]]+)(?:\[([\w:-]+)=([^\]]+)\])?(?:\.|$)')

SDK = """
import json, openstack
cloud = openstack.connect(cloud='nova-lite-demo')
said = {'images': [image.name for image in cloud.list_images()]}
flavor, image = cloud.get_flavor('m1.nano'), cloud.get_image('nova-lite-nano')
server = cloud.compute.create_server(name='sdk', flavor_id=flavor.id, image_id=image.id, networks='none')
server = cloud.compute.wait_for_server(server, interval=0.1, wait=60)
said['created'] = server.status
server = cloud.get_server('sdk')
said['found'] = cloud.compute.find_server('sdk').id == server.id
server.add_tag(cloud.compute, 'blue')
cloud.set_server_metadata(server.id, {'tier': 'web', 'gone': 'soon'})
cloud.delete_server_metadata(server.id, ['gone'])
server = cloud.compute.get_server(server.id)
said.update(tags=server.tags, metadata=server.metadata)
said['listed'] = [found.name for found in cloud.list_servers(filters={'tags': 'blue'})]
said['deleted'] = cloud.delete_server('sdk', wait=True, timeout=60)
said['left'] = cloud.get_server('sdk')

# Its own wait removes a server without an address, of which there are none here.
easy = cloud.create_server('easy', image=image.name, flavor=flavor.name, auto_ip=False)
easy = cloud.compute.wait_for_server(easy, interval=0.1, wait=60)
said['easy'] = [easy.status, cloud.delete_server('easy', wait=True, timeout=60)]
print(json.dumps(said))
"""


def program(service, *arguments, typed=None, cloud='nova-lite-demo'):
    """The program itself, as a member of a project."""
    return subprocess.run([str(OPENSTACK), *arguments], input=typed, capture_output=True, text=True, timeout=LIMIT,
                          env=environment(service, cloud), cwd=service.state_dir, check=False)


def test_flavors(admin):
    made = admin.get('flavor create --id 1234 --ram 64 --disk 0 --vcpus 1 --property hw:a=b small')
    assert (made['id'], made['ram'], made['properties']) == ('1234', 64, {'hw:a': 'b'})
    assert {'small', FLAVOR} <= admin.names('flavor list')
    for reference in ('small', '1234'):
        shown = admin.get(f'flavor show {reference}')
        assert (shown['id'], shown['name'], shown['vcpus']) == ('1234', 'small', 1)
    admin.run('flavor delete small')
    assert 'small' not in admin.names('flavor list --all')
    admin.run('flavor create --id 1234 --ram 64 --disk 0 --vcpus 1 small')
    admin.run('flavor delete 1234')
    assert '1234' in admin.refused('flavor show 1234')


def test_keypairs(admin, tmp_path):
    private = tmp_path / 'private'
    admin.run('keypair create --private-key', str(private), 'mine')
    assert 'PRIVATE KEY' in private.read_text()
    public = admin.run('keypair show --public-key mine')
    assert public.startswith('ssh-')
    (tmp_path / 'public').write_text(public)
    admin.run('keypair create --public-key', str(tmp_path / 'public'), 'imported')
    assert {'mine', 'imported'} <= admin.names('keypair list')
    shown = [admin.get(f'keypair show {name}') for name in ('mine', 'imported')]
    assert shown[0]['fingerprint'] == shown[1]['fingerprint']
    admin.run('keypair delete mine imported')
    assert not admin.names('keypair list')


def test_images(admin, tmp_path):
    content = tmp_path / 'content'
    content.write_bytes(bytes(range(256)) * 300)
    made = admin.get('image create --disk-format raw --container-format bare --min-ram 8 --property a=b --file',
                     str(content), 'own')
    assert {'own', IMAGE} <= admin.names('image list')
    for reference in ('own', made['id']):
        shown = admin.get(f'image show {reference}')
        assert (shown['id'], shown['name'], shown['status'], shown['size'], shown['min_ram']) == (
            made['id'], 'own', 'active', 76800, 8)
        admin.run(f'image save {reference} --file', str(tmp_path / 'copy'))
        assert (tmp_path / 'copy').read_bytes() == content.read_bytes()
    admin.run('image delete own')
    assert 'own' not in admin.names('image list')
    made = admin.get('image create --disk-format raw --container-format bare --file', str(content), 'own')
    admin.run(f'image delete {made["id"]}')
    assert made['id'] in admin.refused(f'image show {made["id"]}')


def test_what_a_cloud_is_made_of(admin, service):
    token = admin.get('token issue')
    assert requests.get(f'{service.url}/v2.1/servers', headers={'X-Auth-Token': token['id']}, timeout=30).ok
    assert {(row['Binary'], row['Status'], row['State']) for row in admin.get('compute service list')} == {
        (name, 'enabled', 'up') for name in ('nova-conductor', 'nova-compute')}
    hosts = admin.get('hypervisor list')
    assert [(row['Hypervisor Type'], row['State']) for row in hosts] == [('fake', 'up')]
    assert 'nova' in {row['Zone Name'] for row in admin.get('availability zone list')}
    limits = {row['Name']: row['Value'] for row in admin.get('limits show --absolute')}
    assert limits['max_total_instances'] > limits['instances_used'] >= 0


def identifiers(admin):
    """The identifiers of the image and the flavor."""
    return admin.get(f'image show {IMAGE}')['id'], admin.get(f'flavor show {FLAVOR}')['id']


def wait_for(admin, reference, status):
    """Ask as a person would: what is its state now?"""
    processes.wait_until(lambda: admin.run(f'server show {reference} -f value -c status').strip() == status, LIMIT,
                         f'{reference} {status}')


@pytest.mark.parametrize('by', ['name', 'id'])
def test_the_life_of_a_server(admin, by):
    image, flavor = (IMAGE, FLAVOR) if by == 'name' else identifiers(admin)
    made = admin.get(f'server create --image {image} --flavor {flavor} --nic none --property a=b --wait of-{by}')
    assert (made['status'], made['name'], made['properties']) == ('ACTIVE', f'of-{by}', {'a': 'b'})
    server = made['id'] if by == 'id' else made['name']

    row = next(row for row in admin.get('server list') if row['ID'] == made['id'])
    assert row == {'ID': made['id'], 'Name': f'of-{by}', 'Status': 'ACTIVE', 'Networks': {}, 'Image': IMAGE,
                   'Flavor': FLAVOR}
    assert made['id'] in admin.run(f'--os-compute-api-version 2.1 server list --name of-{by}')
    assert admin.get(f'--os-compute-api-version 2.1 server show {server}')['id'] == made['id']

    admin.run('server set --property c=d --tag blue --description', 'two words', server)
    admin.run(f'server unset --property a {server}')
    shown = admin.get(f'server show {server}')
    assert (shown['properties'], shown['tags'], shown['description']) == ({'c': 'd'}, ['blue'], 'two words')

    admin.run(f'server stop {server}')
    wait_for(admin, server, 'SHUTOFF')
    admin.run(f'server start {server}')
    wait_for(admin, server, 'ACTIVE')
    admin.run(f'server reboot {"--soft" if by == "name" else "--hard"} {server}')
    wait_for(admin, server, 'ACTIVE')
    log = admin.run(f'console log show {server}')
    assert log.count(f'of-{by} login:') == 3
    assert len(admin.run(f'console log show --lines 2 {server}').splitlines()) < len(log.splitlines())

    admin.run(f'server set --name renamed-{by} {server}')
    server = made['id'] if by == 'id' else f'renamed-{by}'
    admin.run(f'server delete --wait {server}')
    assert server in admin.refused(f'server show {server}')
    assert made['id'] not in admin.run('server list')


def test_a_member_types_commands(service):
    typed = program(service, typed=f"""token issue -f value -c project_id
server create --image {IMAGE} --flavor {FLAVOR} --nic none --wait -f value -c status typed
server list -f value -c Name -c Status
console log show typed
server delete --wait typed
server list -f value -c Name
""")
    # Its exit code is 1 even after nothing but `quit`.
    assert typed.stderr == ''
    lines = [line for line in typed.stdout.splitlines() if line]
    assert len(lines[0]) == 32 and lines[1:3] == ['ACTIVE', 'typed ACTIVE']
    assert 'typed login:' in lines and 'typed' not in lines


@pytest.mark.parametrize(('line', 'said'), [
    ('hypervisor list', r'403: .*os_compute_api:os-hypervisors:list'),
    ('server show nothing', r'No Server found for nothing'),
    (f'server create --image {IMAGE} --flavor nothing --nic none x', r'No Flavor found for nothing'),
])
def test_a_member_is_told_what_went_wrong(service, line, said):
    result = program(service, *line.split())
    assert result.returncode == 1
    assert re.search(said, result.stderr), result.stderr


def test_the_sdk(service):
    result = subprocess.run([sys.executable, '-c', SDK], capture_output=True, text=True, timeout=LIMIT,
                            env=environment(service, 'nova-lite-demo'), check=False)
    assert result.returncode == 0, result.stderr + service.log()
    assert json.loads(result.stdout) == {
        'images': [IMAGE], 'created': 'ACTIVE', 'found': True, 'tags': ['blue'], 'metadata': {'tier': 'web'},
        'listed': ['sdk'], 'deleted': True, 'left': None, 'easy': ['ACTIVE', True]}


@pytest.mark.parametrize('name', ['gophercloud', 'terraform'])
def test_calls_of_programs_in_go(service, admin, name, tmp_path):
    private = tmp_path / 'private'
    admin.run('keypair create --private-key', str(private), f'source-{name}')
    known = {'auth_url': f'{service.url}/identity', 'user': 'demo', 'project': 'demo', 'name': f'go-{name}',
             'password': service.passwords()['demo'],
             'public_key': admin.run(f'keypair show --public-key source-{name}').strip()}
    admin.run(f'keypair delete source-{name}')
    with requests.Session() as session:
        for step in steps('login') + steps(name):
            replay(session, step, known)


def steps(name):
    """The recorded calls."""
    return yaml.safe_load((SEQUENCES / f'{name}.yaml').read_text())


def filled(value, known):
    """A value with what earlier answers held."""
    if isinstance(value, dict):
        return {filled(key, known): filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    return value.format_map(known) if isinstance(value, str) else value


def found(document, path):
    """What lies at ``a.b[key=value].c``."""
    for name, key, wanted in SELECTOR.findall(path):
        document = document[name]
        if key:
            document = next(entry for entry in document if entry[key] == wanted)
    return document


def replay(session, step, known):
    """Make one call, compare the answer, and keep what later calls need of it."""
    step = {key: value if key == 'keep' else filled(value, known) for key, value in step.items()}
    method = next(key for key in step if key.isupper())

    def call():
        return session.request(method, step[method], json=step.get('body'), headers=step.get('headers'), timeout=30,
                               allow_redirects=False)

    def fits(answer):
        return answer.status_code == step['status'] and all(
            found(answer.json(), path) == wanted for path, wanted in step.get('json', {}).items())

    answer = call()
    if step.get('until'):
        def asked_again():
            nonlocal answer
            answer = call()
            return fits(answer)

        processes.wait_until(asked_again, LIMIT, f'{method} {step[method]}')
    assert fits(answer), f'{method} {step[method]} {step}: {answer.status_code} {answer.text}'
    known.update({name: found(answer.json(), path) for name, path in step.get('keep', {}).items()})
    known.update({name: answer.headers[header] for name, header in step.get('keep_header', {}).items()})
