"""What the provider says about its people. Whose address it has verified is marked as staff."""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator


class Claims(OAuth2Validator):
    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        user = request.user
        return {
            "email": user.email,
            "email_verified": user.is_staff,
            "name": user.get_full_name(),
            "preferred_username": user.username,
        }
