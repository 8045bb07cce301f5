/**
 * The daemon as a unit of systemd: text, and nothing else.
 *
 * Invariant: what the unit asks for is what the daemon does: it says when it is ready and that it lives
 * (`server/notify.ts`), asks for real-time priority and may lock its memory, writes its state
 * folder and nothing else. What would break it is not there: V8 makes code as it runs
 * (MemoryDenyWriteExecute), sound is a device (PrivateDevices), audio wants RestrictRealtime=no.
 */

export const UNIT = 'livegrad.service';
/** Account of the daemon where it is the system's. */
export const ACCOUNT = 'livegrad';

export interface UnitOptions {
  /** Of the user who asks, with his account and his sound server; else of the system. */
  readonly isUser: boolean;
  readonly node: string;
  /** `server/main.ts`. */
  readonly main: string;
  /** The daemon's configuration file; without it the defaults, and `livegrad.yaml` in the state folder. */
  readonly config?: string | undefined;
}

/** Of an ExecStart: %, $ and quotes mean something there. */
const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;

/** Hardening that a user's own manager cannot do without namespaces. */
const HARDENING = `
# It writes its state folder and nothing else, and needs no rights but those on sound devices.
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
DevicePolicy=closed
DeviceAllow=char-alsa rw
CapabilityBoundingSet=
AmbientCapabilities=
RemoveIPC=yes`;

export function unitOf({ isUser, node, main, config }: UnitOptions): string {
  const command = [node, main, ...(config === undefined ? [] : ['--config', config])];
  const account = `
User=${ACCOUNT}
Group=${ACCOUNT}
SupplementaryGroups=audio`;
  return `# Made by "livegrad service install": edits are lost at the next; use "systemctl edit" instead.
[Unit]
Description=livegrad, which learns DSP parameters on live audio
After=sound.target network.target

[Service]
Type=notify
# systemd-notify speaks for the daemon, as a child of it.
NotifyAccess=all
ExecStart=${command.map(quoted).join(' ')}${isUser ? '' : account}
StateDirectory=livegrad
StateDirectoryMode=0700
WorkingDirectory=%S/livegrad
Environment=NODE_ENV=production LIVEGRAD_STATE_DIR=%S/livegrad LIVEGRAD_LOG_PRETTY=false
Restart=on-failure
RestartSec=2
# A wrong configuration does not become right by trying again.
RestartPreventExitStatus=78
TimeoutStartSec=120
TimeoutStopSec=15
WatchdogSec=30
# The audio thread asks for priority 60; clients of JACK lock their memory.
LimitRTPRIO=95
LimitMEMLOCK=infinity
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK${isUser ? '' : HARDENING}

[Install]
WantedBy=${isUser ? 'default.target' : 'multi-user.target'}
`;
}

/** For systemd-sysusers: the account, which may use sound devices. */
export const ACCOUNT_FILE = `# Made by "livegrad service install".
u ${ACCOUNT} - "livegrad daemon" /var/lib/livegrad
m ${ACCOUNT} audio
`;
