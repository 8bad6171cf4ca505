// Runs first on the watch page: the session is opened while the player is still loading.

import { beginEarly, sessionAddress } from './session-start.js';

beginEarly(sessionAddress(null));
