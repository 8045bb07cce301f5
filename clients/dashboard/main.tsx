/**
 * The dashboard's entry: one client, one model, one page.
 *
 * The host is where the page came from; a token comes from the page's own form and stays in this
 * tab. Nothing is asked of any other host.
 */

import { render } from 'preact';
import { createClient } from '../sdk/client.ts';
import { App } from './app.tsx';
import { Model } from './model.ts';
import { forgetToken, keptToken } from './token.ts';

const root = document.querySelector('#app');
const client = createClient({ url: location.origin, token: keptToken() });
const model = new Model(client);
if (root !== null) render(<App model={model} />, root);
void model.open(forgetToken);
