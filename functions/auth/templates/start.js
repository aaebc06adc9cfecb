const link = /^#(\/cast\/[\w-]{6,64})\/?(\?.*)?$/.exec(location.hash);
if (link) location.replace(link[1] + (link[2] || ''));
