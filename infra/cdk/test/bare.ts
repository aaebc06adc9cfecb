// The construct with nothing set, for tests/test_cdk.py: its template must say what ../template.yaml says. Arguments: where it is written, and
// where the functions' programs are.
import { App, Stack } from 'aws-cdk-lib';
import { SessionCasting } from '../lib/session-casting';

const [outdir, functions] = process.argv.slice(2);
const app = new App({ outdir, analyticsReporting: false });
new SessionCasting(new Stack(app, 'Bare'), 'Casting', { functions });
app.synth();
