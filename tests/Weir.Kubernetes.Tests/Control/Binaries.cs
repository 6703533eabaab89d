using Weir.Cluster.Tests;

namespace Weir.Kubernetes.Tests.Control;

/// <summary>
/// Programs of Kubernetes: those that TEST_ASSET_NAME or KUBEBUILDER_ASSETS name, as other tools' tests use them, then those that
/// eng/install-kubernetes-tools cached.
/// </summary>
public static class Binaries
{
    private static readonly string[] All = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"];

    /// <summary>The path of a program, or null.</summary>
    public static string? Find(string name)
    {
        var asset = Environment.GetEnvironmentVariable(
            "TEST_ASSET_" + name.Replace('-', '_').ToUpperInvariant());
        var assets = Environment.GetEnvironmentVariable("KUBEBUILDER_ASSETS");
        return new[] { asset, assets is null ? null : Path.Combine(assets, name) }.FirstOrDefault(File.Exists)
            ?? Cached().Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
    }

    public static string PathOf(string name) =>
        Find(name) ?? throw new FileNotFoundException($"{name} is not on this machine: eng/install-kubernetes-tools gets it");

    /// <summary>Skips the test without the programs, loudly; fails it in CI.</summary>
    public static void Require(params string[] names)
    {
        var missing = (names.Length == 0 ? All : names).Where(static name => Find(name) is null).ToList();
        Machine.Require(
            missing.Count == 0,
            $"needs {string.Join(", ", missing)}: run eng/install-kubernetes-tools, or set KUBEBUILDER_ASSETS");
    }

    /// <summary>Folders of the cache, the newest version first.</summary>
    private static IEnumerable<string> Cached()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } home
            ? home
            : Path.Combine(Environment.GetEnvironmentVariable("HOME") ?? "/", ".cache");
        var folder = Path.Combine(cache, "weir", "kubernetes");
        return Directory.Exists(folder)
            ? Directory.GetDirectories(folder).OrderByDescending(static path =>
                Version.TryParse(Path.GetFileName(path), out var version) ? version : new Version(0, 0))
            : [];
    }
}
