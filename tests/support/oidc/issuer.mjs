// An OpenID Connect issuer for the tests, on a free port of loopback.
//
// Beside what every issuer does it takes requests below /test: to let a device in, to
// sign what is asked for, to change its keys, and to answer no one for a while.

import { createHmac, createPublicKey, createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

// The test reads standard output for one line, and closes it.
console.info = console.warn = console.error;

const AUDIENCE = "https://flow.example";
const lifetime = Number(process.argv[2] ?? 300);

let number = 0;
function makeKey(algorithm) {
  const pair = algorithm === "ES256"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = pair.privateKey.export({ format: "jwk" });
  return { ...jwk, kid: `key-${++number}`, use: "sig", alg: algorithm };
}

let keys = [makeKey("RS256"), makeKey("ES256")];
const stranger = makeKey("RS256");
let provider;
let isDown = false;

function begin(url) {
  provider = new Provider(url, {
    jwks: { keys },
    clients: [
      {
        client_id: "flowhost-cli",
        token_endpoint_auth_method: "none",
        application_type: "native",
        grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
        response_types: [],
        redirect_uris: [],
      },
      {
        client_id: "robot",
        client_secret: "of-the-robot",
        grant_types: ["client_credentials"],
        response_types: [],
        redirect_uris: [],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: "read",
          audience: resource,
          accessTokenTTL: lifetime,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
    extraTokenClaims: () => ({ groups: ["ops"] }),
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    ttl: { RefreshToken: 3600, Grant: 3600, DeviceCode: 600 },
  });
}

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

// Signs anything, with a key of this issuer, that of a stranger, or what is public of its own.
function mint({ header, claims, key }) {
  const chosen = key === "stranger" ? stranger : keys[key === "es" ? 1 : 0];
  const input = `${encoded(header)}.${encoded(claims)}`;
  const secret = createPrivateKey({ key: chosen, format: "jwk" });
  if (key === "public-pem" || key === "public-modulus") {
    const pem = createPublicKey(secret).export({ type: "spki", format: "pem" });
    const shared = key === "public-pem" ? pem : Buffer.from(chosen.n, "base64url");
    return `${input}.${createHmac("sha256", shared).update(input).digest("base64url")}`;
  }
  const signature = sign("sha256", Buffer.from(input), { key: secret, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

async function letIn({ user_code, account }) {
  const code = await provider.DeviceCode.findByUserCode(user_code.replaceAll("-", ""));
  const grant = new provider.Grant({ accountId: account, clientId: "flowhost-cli" });
  grant.addOIDCScope("openid offline_access");
  grant.addResourceScope(AUDIENCE, "read");
  Object.assign(code, {
    accountId: account,
    grantId: await grant.save(),
    scope: "openid offline_access",
    resource: AUDIENCE,
    authTime: Math.floor(Date.now() / 1000),
  });
  await code.save();
}

const controls = {
  "/test/mint": mint,
  "/test/let-in": letIn,
  "/test/down": () => void (isDown = true),
  "/test/up": () => void (isDown = false),
  "/test/rotate": () => {
    keys = [makeKey("RS256"), makeKey("ES256")];
    begin(url);
  },
  "/test/keys": () => keys.map((key) => key.kid),
};

const server = createServer(async (request, response) => {
  const control = controls[request.url];
  if (!control && isDown) return request.socket.destroy();
  if (!control) return provider.callback()(request, response);
  let body = "";
  for await (const chunk of request) body += chunk;
  try {
    const answer = await control(body ? JSON.parse(body) : {});
    response.end(JSON.stringify(answer ?? null));
  } catch (error) {
    response.writeHead(500).end(String(error?.stack ?? error));
  }
});

let url;
server.listen(0, "127.0.0.1", () => {
  url = `http://127.0.0.1:${server.address().port}`;
  begin(url);
  console.log(JSON.stringify({ issuer: url, audience: AUDIENCE }));
});
// It ends with the test that started it.
process.stdin.resume().on("end", () => process.exit(0));
