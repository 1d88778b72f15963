/** Signing with a passkey: asks it for the answer to the page's challenge and sends that with the form. */

const form = document.querySelector("#signature");
const button = form.querySelector("#passkey-button");
const trouble = form.querySelector("#passkey-trouble");

/** @param {string} text base64url */
function toBytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

/** @param {ArrayBuffer | null} bytes */
function toText(bytes) {
  if (!bytes) return undefined;
  const plain = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function options() {
  const { publicKey } = JSON.parse(document.querySelector("#passkey-options").textContent);
  const allowed = (publicKey.allowCredentials ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));
  return { publicKey: { ...publicKey, challenge: toBytes(publicKey.challenge), allowCredentials: allowed } };
}

/** @param {PublicKeyCredential} credential */
function asData(credential) {
  const response = /** @type {AuthenticatorAssertionResponse} */ (credential.response);
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    response: {
      clientDataJSON: toText(response.clientDataJSON),
      authenticatorData: toText(response.authenticatorData),
      signature: toText(response.signature),
      userHandle: toText(response.userHandle),
    },
  };
}

async function sign() {
  if (!form.reportValidity()) return;
  trouble.hidden = true;
  button.disabled = true;
  try {
    const credential = await navigator.credentials.get(options());
    form.elements.namedItem("credential").value = JSON.stringify(asData(credential));
    form.submit();
  } catch {
    trouble.hidden = false;
    button.disabled = false;
  }
}

if (window.PublicKeyCredential) {
  for (const one of form.querySelectorAll("[data-without-passkeys]")) one.hidden = true;
  for (const one of form.querySelectorAll("[data-with-passkeys]")) one.hidden = false;
  button.addEventListener("click", sign);
}
