using Microsoft.AspNetCore.Builder;
using Weir.Operator.Crds;
using Weir.Operator.Hosting;

switch (args)
{
    case ["crds", "--output", var directory]:
        CrdFiles.Write(directory);
        return 0;
    case ["check", var url] when Uri.TryCreate(url, UriKind.Absolute, out var address):
        return await HealthCheck.RunAsync(address) ? 0 : 1;
    case [] or ["run"]:
        try
        {
            await using WebApplication app = OperatorHost.Build(OperatorOptions.Read(Environment.GetEnvironmentVariable));
            await app.RunAsync();
            return Environment.ExitCode;
        }
        catch (FormatException e)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }

    default:
        Console.Error.WriteLine("weir-operator: no such command. Without arguments it runs; crds --output DIR writes the definitions; "
            + "check URL says whether an operator is healthy.");
        return 2;
}
