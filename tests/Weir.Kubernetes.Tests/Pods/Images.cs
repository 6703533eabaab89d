using System.Runtime.InteropServices;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>What an image holds: a folder that pods see as /app, and the program in it that they run.</summary>
/// <param name="Folder">Where it is on this machine.</param>
/// <param name="Program">Its entry point.</param>
public sealed record Image(string Folder, string Program);

/// <summary>Images by the last part of their repository's name: what was built with these tests.</summary>
public static class Images
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", ".."));

    private static readonly string Build = Path.GetFileName(
        Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar))!);

    /// <summary>Where .NET is: the folder of the runtime that runs this.</summary>
    public static string DotNet { get; } = Path.GetFullPath(
        Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    /// <summary>The repository's root.</summary>
    public static string Repository => Root;

    /// <summary>The image of a name, or null if nothing is known of it: such a pod cannot be started.</summary>
    public static Image? Find(string name) => NameOf(name) switch
    {
        "weir" or "broker" => Of("broker/Weir", "weir"),
        "weir-operator" or "operator" => Of("operator/Weir.Operator", "weir-operator"),
        "weir-load" => Of("tests/Weir.Kubernetes.Load", "Weir.Kubernetes.Load"),
        _ => null,
    };

    private static Image Of(string project, string program) =>
        new(Path.Combine(Root, project, "bin", Build, "net10.0"), program);

    /// <summary>Without registry, tag and digest.</summary>
    private static string NameOf(string image)
    {
        var name = image.Split('@')[0];
        name = name[(name.LastIndexOf('/') + 1)..];
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? name : name[..colon];
    }
}
