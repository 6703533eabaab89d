namespace Weir.Protocol.Tests;

/// <summary>Finds files that are committed beside the code; tests compare with them or, told to, rewrite them.</summary>
internal static class Repository
{
    /// <summary>Set to 1 to write golden files and generated documents anew. Read the difference before committing it.</summary>
    public const string RewriteVariable = "WEIR_REWRITE_GOLDEN";

    public static bool IsRewriting => Environment.GetEnvironmentVariable(RewriteVariable) == "1";

    public static string Root { get; } = FindRoot();

    public static string GoldenDirectory => Path.Combine(Root, "tests", "Weir.Protocol.Tests", "Golden");

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Cluster.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("the tests must run inside the repository");
    }
}
