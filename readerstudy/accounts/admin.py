"""The administrator's page for people; collected data have no admin pages at all."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from readerstudy.accounts.models import User
from readerstudy.accounts.tokens import revoke_all
from readerstudy.audit.actions import INSTALLATION, record

if TYPE_CHECKING:
    Base = UserAdmin[User]
else:
    Base = UserAdmin

# The provider comes from the settings, and nobody reads a person's secret here: allauth's pages go.
for _pages in ("allauth.mfa.admin", "allauth.socialaccount.admin"):
    import_module(_pages)
admin.site.unregister([Authenticator, SocialApp, SocialToken])
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


@admin.register(User)
class PersonAdmin(Base):
    list_display = ("username", "email", "lost_password", "handle", "may_coordinate", "simulated", "is_active")
    readonly_fields = ("handle", "simulated", "lost_password")
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Reader studies", {"fields": ("handle", "may_coordinate", "simulated", "lost_password")}),
    )

    @admin.display(description="Lost password")
    def lost_password(self, person: User) -> str:
        """The page that makes a one-time link, for who signs in."""
        if not person.pk or person.simulated or not person.is_active:
            return "\u2013"
        return format_html('<a href="{}">Make a one-time link</a>', reverse("people:reset", args=[person.handle]))

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and not obj.is_active and isinstance(request.user, User):
            revoke_all(obj, request.user)


@admin.register(Authenticator)
class SecondFactorAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Second factors: an administrator takes a lost one away, and never sees its secret."""

    list_display = ("user", "type", "created_at", "last_used_at")
    fields = readonly_fields = ("user", "type", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        self._audit(request, [obj])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        self._audit(request, queryset)
        super().delete_queryset(request, queryset)

    def _audit(self, request: HttpRequest, gone: Any) -> None:
        by = request.user.handle if isinstance(request.user, User) else ""
        for factor in gone:
            record(INSTALLATION, by, "account.second_factor_removed", f"user:{factor.user.handle}", {})
