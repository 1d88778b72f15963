"""The administrator's page for people; collected data have no admin pages at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from readerstudy.accounts.models import User

if TYPE_CHECKING:
    Base = UserAdmin[User]
else:
    Base = UserAdmin

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


@admin.register(User)
class PersonAdmin(Base):
    list_display = ("username", "email", "handle", "may_coordinate", "simulated", "is_active")
    readonly_fields = ("handle", "simulated")
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Reader studies", {"fields": ("handle", "may_coordinate", "simulated")}),
    )
