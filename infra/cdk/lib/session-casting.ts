// Session casting as a construct. Owns the properties' types and nothing else: what is deployed stands in ../../template.yaml, word for word,
// and tests/test_cdk.py compares both.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Token } from 'aws-cdk-lib';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Construct } from 'constructs';

/** How visitors reach sessions. */
export enum Edge {
  /** A CloudFront distribution with a function; sessions run in public subnets and let in nothing but CloudFront. */
  CLOUDFRONT = 'cloudfront',
  /** Sessions in private subnets behind `gate edge` and a load balancer. */
  LOAD_BALANCER = 'load-balancer',
  /** An edge that you run yourself. */
  OWN = 'own',
}

/** Who knows the people that log in. */
export enum Login {
  /** No login. */
  NONE = 'none',
  /** A user pool that is made with the deployment. */
  COGNITO = 'cognito',
  /** The OpenID Connect provider in `oidcIssuer`. */
  OIDC = 'oidc',
}

/** What functions are built for and run on. */
export enum Architecture {
  /** Costs a fifth less. */
  ARM64 = 'arm64',
  /** The other. */
  X86_64 = 'x86_64',
}

/** Properties of a deployment. All have the template's defaults. */
export interface SessionCastingProps {
  /**
   * What the functions are built for and run on; arm64 costs a fifth less. The edge's tasks run on it too.
   *
   * @default Architecture.ARM64
   */
  readonly architecture?: Architecture;
  /**
   * The control plane's own domain, such as cast.example.com; empty means the gateway's own address. With it, the gateway answers on no other.
   *
   * @default - empty
   */
  readonly domainName?: string;
  /**
   * The certificate (ACM, this region) for DomainName.
   *
   * @default - empty
   */
  readonly certificateArn?: string;
  /**
   * Under which each session gets a host of its own, such as s.example.com for https://{session}.s.example.com. Empty means paths on the
   * distribution's own address, /s/{session}/ - for trying out, because then all sessions are one origin to a browser.
   *
   * @default - empty
   */
  readonly sessionDomain?: string;
  /**
   * The certificate (ACM) for *.SessionDomain; in us-east-1 for the edge cloudfront, in this region for the edge load-balancer.
   *
   * @default - empty
   */
  readonly sessionCertificateArn?: string;
  /**
   * The Route 53 zone that both domains are in; empty means that you point them to the outputs' targets yourself.
   *
   * @default - empty
   */
  readonly hostedZoneId?: string;
  /**
   * Only for the edge own - where sessions are reached, with {session} for a session's id.
   *
   * @default - empty
   */
  readonly sessionUrl?: string;
  /**
   * How visitors reach sessions. cloudfront: a distribution with a function, costs nothing without visitors, sessions run in public subnets
   * and let in nothing but CloudFront. load-balancer: sessions in private subnets behind `gate edge` and a load balancer, 78.25 USD a month
   * with the NAT gateway (us-east-1; docs/cost.md has the parts). own: an edge that you run yourself with the key that NextSteps names.
   *
   * @default Edge.CLOUDFRONT
   */
  readonly edge?: Edge;
  /**
   * Where sessions run; best a VPC with nothing else in it. Empty makes one. For the edge cloudfront it must give public DNS names.
   *
   * @default - empty
   */
  readonly vpcId?: string;
  /**
   * With VpcId - where sessions run; up to 16 subnets of that VPC, public for the edge cloudfront, private for the edge load-balancer.
   *
   * @default - none
   */
  readonly subnetIds?: string[];
  /**
   * With VpcId and the edge load-balancer - at least two public subnets for the load balancer.
   *
   * @default - none
   */
  readonly edgeSubnetIds?: string[];
  /**
   * Without VpcId - the addresses of the VPC that is made.
   *
   * @default '10.42.0.0/16'
   */
  readonly vpcCidr?: string;
  /**
   * Only for the edge own - sessions in public subnets need a public address to fetch their image and to report.
   *
   * @default 'ENABLED'
   */
  readonly assignPublicIp?: 'ENABLED' | 'DISABLED';
  /**
   * The managed prefix list from which sessions are reached; empty means CloudFront's for the edge cloudfront, and none for the edge own.
   *
   * @default - empty
   */
  readonly edgePrefixListId?: string;
  /**
   * For the edge load-balancer - how many edges there are at least.
   *
   * @default 2
   */
  readonly edgeTasks?: number;
  /**
   * A web ACL (WAF, us-east-1, scope CLOUDFRONT) in front of sessions, for the edge cloudfront.
   *
   * @default - empty
   */
  readonly webAclArn?: string;
  /**
   * How many requests one address may send to sessions in five minutes (at least 10); more are answered with 403. 0 is no rule. For the edge load-balancer in any region; for the edge cloudfront only in us-east-1, where AWS keeps its rules, and without WebAclArn. It costs about 6 USD a month.
   *
   * @default 10000
   */
  readonly requestsPerAddress?: number;
  /**
   * When a proxy of yours (a CDN, a firewall) stands in front of the gateway - the header in which it names the visitor's address, such as
   * CloudFront-Viewer-Address; limits count by it. Empty means that visitors come to the gateway themselves.
   *
   * @default - empty
   */
  readonly visitorHeader?: string;
  /**
   * With VisitorHeader - the secret (Secrets Manager) that the proxy sends in the header x-casting-hop. Without it anybody who goes around the
   * proxy could claim any address.
   *
   * @default - empty
   */
  readonly visitorProofArn?: string;
  /**
   * The container image with the gate in it (infra/gate.Dockerfile makes one). Empty means that every session's image brings the gate along. The
   * edge load-balancer needs it.
   *
   * @default - empty
   */
  readonly gateImage?: string;
  /**
   * The capacity providers that sessions run on, in the order in which they are tried. FARGATE_SPOT,FARGATE takes Spot, which is cheaper and taken
   * back with a warning of two minutes, and on-demand where Spot has no room. With + between them, providers share the sessions by weight, as in
   * FARGATE_SPOT:3+FARGATE:1.
   *
   * @default FARGATE
   */
  readonly capacity?: string;
  /**
   * Capacity providers of your own that Capacity names beside FARGATE and FARGATE_SPOT, with commas between them.
   *
   * @default - empty
   */
  readonly capacityProviders?: string;
  /**
   * How many tasks ECS starts in a second, by the quotas of the account. What it throttles is queued, and started at this rate.
   *
   * @default 20
   */
  readonly startsPerSecond?: number;
  /**
   * The login provider - none, a user pool that is created here, or the provider in OidcIssuer.
   *
   * @default Login.NONE
   */
  readonly login?: Login;
  /**
   * The issuer URL of an OpenID Connect provider. Its redirect URL is the output LoginCallbackUrl.
   *
   * @default - empty
   */
  readonly oidcIssuer?: string;
  /**
   * What that provider calls this deployment.
   *
   * @default - empty
   */
  readonly oidcClientId?: string;
  /**
   * The secret (Secrets Manager) that holds the client secret; empty for a public client.
   *
   * @default - empty
   */
  readonly oidcClientSecretArn?: string;
  /**
   * The claim of that provider that names a user's groups and roles; the value admin makes an administrator, the value auditor lets a user read everything.
   *
   * @default 'groups'
   */
  readonly oidcGroupsClaim?: string;
  /**
   * Whether the gateway lets only tokens of the login provider through to /api/admin/. The function wants an API key in any case, and
   * Authorization cannot hold both, so with this the token goes into Authorization and the key into X-Api-Key; without it the key goes into
   * Authorization.
   *
   * @default false
   */
  readonly adminJwt?: boolean;
  /**
   * While keys are changed, the secret (Secrets Manager) with the key before; empty when there is none.
   *
   * @default - empty
   */
  readonly previousSigningKeyArn?: string;
  /**
   * The secret (Secrets Manager) with the CAPTCHA provider's secret key. It is used in place of the one in the settings, where any word may then
   * stand.
   *
   * @default - empty
   */
  readonly captchaSecretArn?: string;
  /**
   * Secrets (Secrets Manager) with credentials of private registries, with commas between them; images name them in registry_secret. Without KMS
   * keys of your own.
   *
   * @default - empty
   */
  readonly registrySecretArns?: string;
  /**
   * What the gateway lets through on average; it answers 429 above that.
   *
   * @default 200
   */
  readonly requestsPerSecond?: number;
  /**
   * The same for claims, each of which may start a task. Starts that ECS throttles are queued.
   *
   * @default 100
   */
  readonly claimsPerSecond?: number;
  /**
   * How many copies of the cast function may run at once; 0 is no bound of its own. New accounts have few to give away.
   *
   * @default 0
   */
  readonly castConcurrency?: number;
  /**
   * How many sessions of a new deployment may live at once; 0 is no limit. Its settings take it over when its first link is made; from then on it is changed there, and this parameter changes nothing.
   *
   * @default 100
   */
  readonly maxSessions?: number;
  /**
   * What the sessions claimed in one clock hour may cost together in a new deployment, in whole US dollars; 0 is no limit. Taken over by its settings as MaxSessions is.
   *
   * @default 10
   */
  readonly budgetPerHour?: number;
  /**
   * The same of one day (UTC).
   *
   * @default 50
   */
  readonly budgetPerDay?: number;
  /**
   * From how many running tasks on an alarm goes off.
   *
   * @default 100
   */
  readonly sessionsAlarm?: number;
  /**
   * What ECS may cost in a month, in US dollars; AlarmEmail is notified at 80 percent, and when the forecast exceeds it. 0 is no budget.
   *
   * @default 0
   */
  readonly monthlyBudget?: number;
  /**
   * The address that alarms are sent to; empty means that you subscribe to the topic in the output AlarmTopicArn yourself.
   *
   * @default - empty
   */
  readonly alarmEmail?: string;
  /**
   * How much the functions log.
   *
   * @default 'info'
   */
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  /**
   * How long logs are kept.
   *
   * @default 30
   */
  readonly logRetentionDays?: number;
  /**
   * Whether tables, user pool and load balancer refuse to be deleted. Tables and keys stay behind when the stack is deleted, in either case.
   *
   * @default true
   */
  readonly deletionProtection?: boolean;

  /**
   * Whether webhooks may be sent to private and local addresses that the functions can reach. Otherwise a receiver must be on the public internet.
   *
   * @default - only to receivers on the public internet
   */
  readonly hooksPrivate?: boolean;
  /**
   * The event bus (EventBridge) that hooks may send events to, by its ARN. Empty means that they send to servers only.
   *
   * @default - empty
   */
  readonly eventBusArn?: string;
  /**
   * A version of a Lambda layer with databases of the countries and networks of addresses (.mmdb files), for access tiers that ask for them.
   *
   * @default - empty
   */
  readonly geoDatabaseLayer?: string;
  /**
   * The folder with a folder for each function, named like its binary, with the program `bootstrap` in it.
   *
   * @default - `target/lambda` of this project, where `cargo lambda build --release` puts it
   */
  readonly functions?: string;
}

/** The parameters of the template by the names of the properties. */
const PARAMETERS: { readonly [property: string]: string } = {
  architecture: 'Architecture',
  domainName: 'DomainName',
  certificateArn: 'CertificateArn',
  sessionDomain: 'SessionDomain',
  sessionCertificateArn: 'SessionCertificateArn',
  hostedZoneId: 'HostedZoneId',
  sessionUrl: 'SessionUrl',
  edge: 'Edge',
  vpcId: 'VpcId',
  subnetIds: 'SubnetIds',
  edgeSubnetIds: 'EdgeSubnetIds',
  vpcCidr: 'VpcCidr',
  assignPublicIp: 'AssignPublicIp',
  edgePrefixListId: 'EdgePrefixListId',
  edgeTasks: 'EdgeTasks',
  webAclArn: 'WebAclArn',
  requestsPerAddress: 'RequestsPerAddress',
  visitorHeader: 'VisitorHeader',
  visitorProofArn: 'VisitorProofArn',
  gateImage: 'GateImage',
  capacity: 'Capacity',
  capacityProviders: 'CapacityProviders',
  startsPerSecond: 'StartsPerSecond',
  login: 'Login',
  oidcIssuer: 'OidcIssuer',
  oidcClientId: 'OidcClientId',
  oidcClientSecretArn: 'OidcClientSecretArn',
  oidcGroupsClaim: 'OidcGroupsClaim',
  adminJwt: 'AdminJwt',
  previousSigningKeyArn: 'PreviousSigningKeyArn',
  captchaSecretArn: 'CaptchaSecretArn',
  registrySecretArns: 'RegistrySecretArns',
  requestsPerSecond: 'RequestsPerSecond',
  claimsPerSecond: 'ClaimsPerSecond',
  castConcurrency: 'CastConcurrency',
  maxSessions: 'MaxSessions',
  budgetPerHour: 'BudgetPerHour',
  budgetPerDay: 'BudgetPerDay',
  sessionsAlarm: 'SessionsAlarm',
  monthlyBudget: 'MonthlyBudget',
  alarmEmail: 'AlarmEmail',
  logLevel: 'LogLevel',
  logRetentionDays: 'LogRetentionDays',
  deletionProtection: 'DeletionProtection',
  hooksPrivate: 'HooksPrivate',
  eventBusArn: 'EventBusArn',
  geoDatabaseLayer: 'GeoDatabaseLayer',
};

/** A property's value as a parameter of the template: flags as words, lists with commas. */
function parameter(value: unknown): unknown {
  if (typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? value.join(',') : value;
}

const TEMPLATE = path.join(__dirname, '..', '..', 'template.yaml');

/** The whole deployment: functions, tables, cluster, network, edge, gateway, alarms. */
export class SessionCasting extends Construct {
  /** The template's resources, outputs, parameters and conditions by their logical names, to be changed where properties do not reach. */
  public readonly template: CfnInclude;
  /** Where administrators go. */
  public readonly consoleUrl: string;
  /** What links begin with; a link is this and its key. */
  public readonly castBaseUrl: string;
  /** Where sessions are reached, with `{session}` for a session's id. */
  public readonly sessionUrl: string;

  /**
   * Makes a deployment.
   *
   * @param scope what it is part of; its logical names are the template's, so a stack takes one
   * @param id its name there
   * @param props what differs from the defaults
   */
  public constructor(scope: Construct, id: string, props: SessionCastingProps = {}) {
    super(scope, id);
    const given = props as { readonly [property: string]: unknown };
    const parameters: { [name: string]: unknown } = {};
    for (const [property, name] of Object.entries(PARAMETERS)) {
      const value = given[property];
      if (value !== undefined) parameters[name] = parameter(value);
    }
    this.template = new CfnInclude(this, 'Template', { templateFile: TEMPLATE, preserveLogicalIds: true, parameters });
    const functions = props.functions ?? path.join(__dirname, '..', '..', '..', 'target', 'lambda');
    for (const name of ['cast', 'session', 'admin', 'auth', 'error', 'lifecycle']) {
      const folder = path.join(functions, name);
      if (!fs.existsSync(path.join(folder, 'bootstrap'))) {
        throw new Error(`There is no program in ${folder}. Build the functions first: cargo lambda build --release`);
      }
      const code = new Asset(this, `${name}-code`, { path: folder });
      const resource = this.template.getResource(`${name[0].toUpperCase()}${name.slice(1)}Function`);
      resource.addPropertyOverride('CodeUri', { Bucket: code.s3BucketName, Key: code.s3ObjectKey });
    }
    this.consoleUrl = this.output('ConsoleUrl');
    this.castBaseUrl = this.output('CastBaseUrl');
    this.sessionUrl = this.output('SessionUrl');
  }

  private output(name: string): string {
    return Token.asString(this.template.getOutput(name).value);
  }
}
