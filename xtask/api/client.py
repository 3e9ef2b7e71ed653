"""The platform's public client, unmodified, against a running agent: URL, name and token are arguments."""

import sys

import hypernode_api_python.client as platform

# The module's constant is the only way: the client does not use its own `api_url`.
platform.HYPERNODE_API_URL, name, token = sys.argv[1:]
client = platform.HypernodeAPIPython(token)


def settings():
    return client.get_app_info_or_404(name).json()


info = settings()
assert info["name"] == name and info["destroyed"] is False, info
assert info["permissive_memory_management"] is False, info

before = client.get_flows(name).json()["count"]

described = client.get_app_eav_description().json()
assert described["permissive_memory_management"] == [True, False], described
assert set(described) <= set(info), "each setting is a field of the node"

for value in (True, "False", "true", "0", True):
    answer = client.set_app_setting(name, "permissive_memory_management", value)
    assert answer.status_code == 200, answer.text
    wanted = str(value).lower() in ("true", "1")
    assert answer.json()["permissive_memory_management"] is wanted, answer.text
    assert settings()["permissive_memory_management"] is wanted
answer = client.set_app_setting(name, "strict.kernel_kills", 4)
assert answer.json()["strict.kernel_kills"] == 4, answer.text

for field, value in (("permissive_memory_management", "perhaps"), ("no_such_setting", "1")):
    answer = client.set_app_setting(name, field, value)
    assert answer.status_code == 400 and field in answer.json(), answer.text

assert client.get_app_flavor(name).json()["name"], "a flavor has a name"
plan = client.get_next_best_plan_for_app_or_404(name).json()
assert plan["name"] and plan["code"], plan

page = client.get_flows(name).json()
assert page["count"] == before + 6 and page["previous"] is None, page
flow = page["results"][0]
for field in ("uuid", "state", "name", "created_at", "updated_at", "progress", "logbook", "tracker"):
    assert field in flow, field
assert (flow["state"], flow["logbook"]) == ("success", name), flow
for more in range(60):
    client.set_app_setting(name, "strict.kernel_kills", more % 2 + 2)
every = client.get_all_flows(name)
assert len(every) == before + 66, len(every)
assert len({flow["uuid"] for flow in every}) == len(every), "a flow came twice"
assert len(client.get_all_flows(name, limit=7)) == 7

stranger = platform.HypernodeAPIPython("wrong")
assert stranger.get_app_flavor(name).status_code == 401
assert client.get_app_flavor("another").status_code == 403
answer = client.requests("GET", f"/v2/app/{name}/nothing/")
assert answer.status_code == 404, answer.text
print("the platform's client: every call answered as it expects")
