"""The administrator's page for people; collected data have no admin pages at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from readerstudy.accounts.models import User
from readerstudy.accounts.tokens import revoke_all

if TYPE_CHECKING:
    Base = UserAdmin[User]
else:
    Base = UserAdmin

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
