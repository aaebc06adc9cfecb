// A deployment in eu-central-1 with a domain of its own and people from a user pool. `npm run synth` writes its template to cdk.out.
import { App, Stack, Tags } from 'aws-cdk-lib';
import { Architecture, Edge, Login, SessionCasting } from '../lib/session-casting';

const app = new App();
const stack = new Stack(app, 'SessionCasting', { env: { region: 'eu-central-1' }, description: 'Session casting' });

new SessionCasting(stack, 'Casting', {
  domainName: 'cast.example.com',
  certificateArn: 'arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-0000-0000-000000000000',
  sessionDomain: 's.cast.example.com',
  sessionCertificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000',
  edge: Edge.CLOUDFRONT,
  login: Login.COGNITO,
  architecture: Architecture.ARM64,
  gateImage: '111122223333.dkr.ecr.eu-central-1.amazonaws.com/session-casting/gate:latest',
  alarmEmail: 'on-call@example.com',
  monthlyBudget: 100,
  functions: process.env.CASTING_FUNCTIONS,
});

Tags.of(stack).add('project', 'session-casting');
