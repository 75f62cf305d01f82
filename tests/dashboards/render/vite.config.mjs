import {defineConfig} from 'vite';

export default defineConfig({
  // Grafana's libraries were written for a bundler that has these.
  define: {'process.env.NODE_ENV': '"production"', 'process.env.REACT_APP_VERSION': '""', global: 'globalThis'},
  esbuild: {jsx: 'automatic'},
  resolve: {alias: {'react-router-dom-v5-compat': 'react-router-dom'}},
  build: {
    target: 'chrome110',
    minify: false,  // as fast as can be: it is looked at once
    reportCompressedSize: false,
    chunkSizeWarningLimit: 100000,
    rollupOptions: {onwarn: () => {}},
  },
  logLevel: 'warn',
});
