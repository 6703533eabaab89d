namespace Weir.Cli.Output;

/// <summary>What the process tells its caller; docs/cli.md has the same list.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>The operation was refused or failed; stderr says why and what to do.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>No broker could be reached.</summary>
    public const int Unreachable = 3;

    /// <summary>Some records were not acknowledged; the count is printed.</summary>
    public const int NotAcknowledged = 4;

    /// <summary>Interrupted by Ctrl-C or SIGTERM.</summary>
    public const int Interrupted = 130;
}
