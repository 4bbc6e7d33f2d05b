"""What Entra ID's refusals mean, as our own faults.

The numbers are Microsoft's ("Microsoft Entra authentication and authorization error codes"); they only choose the
fault, and an unknown one is still a refusal.
"""

import re

from core.http.client import cleaned
from sync.domain.errors import OUTAGES, CredentialsWrong, Fault, ServiceUnavailable, SyncError

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.I)
_CODE = re.compile(r"AADSTS(\d{4,9})")
_STATUS = re.compile(r"HTTP status: (\d{3})")

_FAULTS = {
    90002: Fault.ENTRA_TENANT_UNKNOWN,
    900023: Fault.ENTRA_TENANT_UNKNOWN,
    5000224: Fault.ENTRA_TENANT_BLOCKED,
    5000225: Fault.ENTRA_TENANT_BLOCKED,
    90038: Fault.ENTRA_OTHER_CLOUD,
    90051: Fault.ENTRA_OTHER_CLOUD,
    900382: Fault.ENTRA_OTHER_CLOUD,
    900432: Fault.ENTRA_OTHER_CLOUD,
    900439: Fault.ENTRA_OTHER_CLOUD,
    50001: Fault.ENTRA_SERVICE_DISABLED,
    500011: Fault.ENTRA_SERVICE_DISABLED,
    500014: Fault.ENTRA_SERVICE_DISABLED,
    650052: Fault.ENTRA_SERVICE_DISABLED,
    50105: Fault.ENTRA_ASSIGNMENT_REQUIRED,
    501051: Fault.ENTRA_ASSIGNMENT_REQUIRED,
    500021: Fault.ENTRA_NETWORK_RESTRICTED,
    500022: Fault.ENTRA_NETWORK_RESTRICTED,
    7000216: Fault.ENTRA_SECRET_MISSING,
    7000218: Fault.ENTRA_SECRET_MISSING,
    700016: Fault.ENTRA_CLIENT_UNKNOWN,
    7000229: Fault.ENTRA_NO_SERVICE_PRINCIPAL,
    7000215: Fault.ENTRA_SECRET_WRONG,
    7000222: Fault.ENTRA_SECRET_EXPIRED,
    7000112: Fault.ENTRA_APP_DISABLED,
    700027: Fault.ENTRA_CERTIFICATE_UNKNOWN,
    1000502: Fault.ENTRA_CERTIFICATE_EXPIRED,
    70021: Fault.ENTRA_FEDERATION_UNKNOWN,
    700211: Fault.ENTRA_FEDERATION_UNKNOWN,
    700212: Fault.ENTRA_FEDERATION_UNKNOWN,
    700213: Fault.ENTRA_FEDERATION_UNKNOWN,
    700024: Fault.ENTRA_FEDERATION_UNKNOWN,
    53003: Fault.ENTRA_CONDITIONAL_ACCESS,
    530032: Fault.ENTRA_CONDITIONAL_ACCESS,
    50005: Fault.ENTRA_DEVICE_POLICY,
    50097: Fault.ENTRA_DEVICE_POLICY,
    53000: Fault.ENTRA_DEVICE_POLICY,
    53001: Fault.ENTRA_DEVICE_POLICY,
    53002: Fault.ENTRA_DEVICE_POLICY,
    53009: Fault.ENTRA_DEVICE_POLICY,
    530003: Fault.ENTRA_DEVICE_POLICY,
    50196: Fault.ENTRA_THROTTLED,
    90055: Fault.ENTRA_THROTTLED,
    90006: Fault.ENTRA_TEMPORARY,
    90012: Fault.ENTRA_TEMPORARY,
    90024: Fault.ENTRA_TEMPORARY,
    90033: Fault.ENTRA_TEMPORARY,
}
_TEMPORARY_ERRORS = frozenset({"temporarily_unavailable", "server_error"})


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None


def checked_tenant(tenant_id: str) -> str:
    """A tenant's GUID or domain. Raises ``CredentialsWrong`` for text that would make another address."""
    tenant = tenant_id.strip()
    if is_guid(tenant) or _DOMAIN.fullmatch(tenant):
        return tenant
    raise CredentialsWrong(Fault.ENTRA_TENANT_UNKNOWN)


def refusal(response: dict[str, object], secret: str) -> SyncError:
    """What a response without a token means; ``secret`` is only checked for the shape of a GUID."""
    code = code_in(str(response.get("error_description") or ""))
    codes = response.get("error_codes")
    if not code and isinstance(codes, list) and codes and isinstance(codes[0], int):
        code = codes[0]
    return _fault_of(code, cleaned(response.get("error"), 60), secret)


def discovery_refusal(text: str, secret: str) -> SyncError:
    """What a failed discovery of the tenant means; ``text`` is msal's error message."""
    code, status = code_in(text), _STATUS.search(text)
    if code:
        return _fault_of(code, "", secret)
    if status and status[1] != "429":
        return CredentialsWrong(Fault.ENTRA_REFUSED, status=int(status[1]))
    return ServiceUnavailable(Fault.ENTRA_THROTTLED if status else Fault.ENTRA_UNREACHABLE)


def outage(status: int, retry_after: float | None, code: int) -> ServiceUnavailable:
    """What a 429, a 5xx or an answer that is no JSON means; ``code`` is its AADSTS number, 0 without one."""
    context = {"status": status} | ({"code": code} if code else {})
    known = _FAULTS.get(code, Fault.ENTRA_UNREACHABLE)
    fault = Fault.ENTRA_THROTTLED if status == 429 else known if known in OUTAGES else Fault.ENTRA_UNREACHABLE
    return ServiceUnavailable(fault, retry_after, **context)


def code_in(text: str) -> int:
    """The AADSTS number in a message of Entra's, 0 without one."""
    found = _CODE.search(text)
    return int(found[1]) if found else 0


def _fault_of(code: int, error: str, secret: str) -> SyncError:
    context: dict[str, str | int] = {"code": code} if code else {"error": error} if error else {}
    fault = _FAULTS.get(code, Fault.ENTRA_TEMPORARY if error in _TEMPORARY_ERRORS else Fault.ENTRA_REFUSED)
    if fault in OUTAGES:
        return ServiceUnavailable(fault, None, **context)
    if fault is Fault.ENTRA_SECRET_WRONG and is_guid(secret.strip()):
        fault = Fault.ENTRA_SECRET_IS_ID
    return CredentialsWrong(fault, **context)
