"""What the OpenAPI document cannot say: whose ids stand where, what makes a body valid, and what is no success."""

from typing import Any

from pulse.tenancy.roles import PERMISSIONS
from tests.integration.console.documents import drawn
from tests.integration.console.people.rooms import PASSWORD

Json = dict[str, Any]
# What stands in a path, by the parameter's name (or by path and name, where that is not enough).
PARAMETERS: dict[Any, str] = {
    # The provider of this one answers without a network.
    ("/model-credentials/{credential_id}/validate", "credential_id"): "<mock_credential>",
    # What is still at work is not deleted, and not sent again.
    ("/messages/{message_id}", "message_id"): "<ended_message>",
    ("/messages/{message_id}/replay", "message_id"): "<ended_message>",
    ("/prompt-templates/{template_id}/runs/{run_id}", "run_id"): "<ended_run>",
    ("/prompt-templates/{template_id}/runs/{run_id}/retry", "run_id"): "<ended_run>",
    "configuration_id": "<configuration>",
    "credential_id": "<credential>",
    "entity_id": "<entity>",
    "environment_id": "<spare_environment>",
    "invitation_id": "<invitation>",
    "key_id": "<key>",
    "message_id": "<message>",
    "model_id": "<model>",
    "organization_id": "<organization>",
    "plan_key": "free",
    "run_id": "<run>",
    "set_id": "<set>",
    "source_id": "<source>",
    "team_id": "<team>",
    "template_id": "<template>",
    "user_id": "<member>",
    ("/variables/{name}/uses", "name"): "<variable_name>",
    "variable_id": "<variable>",
    "version": "1",
    "version_id": "1",
    "workflow_id": "<workflow>",
}
# What is asked besides the path.
QUERIES: dict[str, dict[str, str]] = {
    "/messages": {"workflowId": "<workflow>"},
    "/prompt-templates/{template_id}/diff": {"from": "1"},
}
# What a field of this name holds, in any body.
BY_NAME: Json = {
    "credentialId": "<mock_credential>",
    "email": "<email>",
    "environmentId": "<environment>",
    "entityId": "<placed>",
    "memberIds": ["<member>"],
    "modelConfigurationId": "<configuration>",
    "modelDefinitionId": "mock/mock-small",
    "modelUrl": "https://models.example.com/v1/generate",
    "organizationId": "<organization>",
    "password": PASSWORD,
    "providerId": "mock",
    "setIds": ["<set>"],
    "value": "<secret>",
}
# They look like ids, and are none of an organization's.
NO_IDS = {"awsAccessKeyId", "accessKeyId", "modelId", "workflowEntityTypeId", "workflowId", "ids"}
_TEAM = {"rights": [{"environmentId": "<spare_environment>", "role": "User"}]}
_VARIABLE = {"name": "<identifier>"}
_TEMPLATE = {"name": "<name>", "text": "Hello {{name}}"}
_CREDENTIAL = {"providerId": "openai", "apiKey": "<secret>"}
_WORKFLOW = {"workflowData": drawn({"entityId": "<placed>", "entityType": "event"})}
BODIES: dict[str, Json] = {
    "DELETE /organizations/{organization_id}": {"confirm": "<organization_name>"},
    "POST /session": {"email": "<own_email>"},
    "POST /session/reset": {"email": "<own_email>"},
    "POST /teams": _TEAM,
    "PUT /teams/{team_id}": _TEAM,
    # A key makes none that may do more than itself.
    "POST /api-keys": {"scopes": ["workflows:read"]},
    "POST /invitations": {"role": "User"},
    "PUT /plan-configurations/{plan_key}": {"name": "Free", "price": 0, "transactionLimit": None},
    "PUT /subscriptions/{organization_id}": {"planKey": "free"},
    "PUT /profile": {"firstName": "<name>"},
    "PUT /profile/password": {"oldPassword": PASSWORD, "newPassword": PASSWORD},
    "PUT /members/{user_id}": {"role": "User"},
    "POST /users": {"role": "User"},
    "POST /sources": {"kind": "hmac"},
    "POST /workflows": _WORKFLOW,
    "PUT /workflows/{workflow_id}": _WORKFLOW,
    "POST /workflows/{workflow_id}/copy": {"environmentId": "<spare_environment>", "name": "<name>"},
    "POST /workflows/{workflow_id}/trigger": {"payload": {"from": "<name>"}},
    "POST /workflows/{workflow_id}/test": {"message": {"from": "<name>"}},
    "POST /messages/replay": {"ids": ["<message>"], "workflowId": None, "after": None},
    "POST /model-credentials": _CREDENTIAL,
    "PUT /model-credentials/{credential_id}": _CREDENTIAL,
    "POST /models": {"token": "<secret>"},
    "POST /variables": _VARIABLE,
    "POST /prompt-templates": _TEMPLATE,
    "PUT /prompt-templates/{template_id}": _TEMPLATE,
    "POST /prompt-templates/{template_id}/runs": {
        "variants": [{"modelConfigurationId": "<configuration>"}],
        "sentiment": "<configuration>",
    },
}
# Where an id only narrows down what is found: whoever names another's finds nothing, and learns nothing.
FILTERS = {"POST /messages/replay": {"body:ids.0"}, "GET /messages": {"query:workflowId"}}
# What else than a success may come of a valid request, and why.
OTHERWISE: dict[str, set[int]] = {
    # No sandbox runs beside these tests.
    "POST /workflows/{workflow_id}/test": {503},
    # No tickets, codes or providers of identities are made up here.
    "PUT /session/reset": {404, 422},
    "POST /invitations/accept": {404, 422},
    "GET /session/oidc": {404, 503},
    "GET /session/oidc/callback": {403, 404, 422, 503},
    "PUT /profile/second-factor": {422},
    "DELETE /profile/second-factor": {404, 422},
    # Nothing is sold here.
    "POST /stripe/create-checkout-session": {503},
    "POST /stripe/create-portal-session": {503},
    "POST /stripe/webhook": {401},
    # Who asks too often for mails waits.
    "POST /session/reset": {429},
    # Something is in it.
    "DELETE /organizations/{organization_id}": {409},
}


def is_of_nobody(permission: str) -> bool:
    """Whether it is open to whoever comes, or about nobody but who asks: no organization is spoken for."""
    return permission not in PERMISSIONS
